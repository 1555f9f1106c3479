package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"minictr/pkg/image"
)

// Pull has program (minictr-registry) fetch what name refers to into the store
// below root, and returns the image.
func Pull(ctx context.Context, program, root string, name image.Name, o Options) (*image.Image, error) {
	platform := ""
	if o.Platform.OS != "" {
		platform = image.FormatPlatform(o.Platform)
	}
	cmd := exec.CommandContext(ctx, program, "pull", root, name.String(), platform)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the program that speaks to registries: %w", err)
	}
	last, err := follow(out, o.Progress)
	if ended := cmd.Wait(); err == nil && last.Image == "" && last.Error == "" {
		err = fmt.Errorf("it ended without a word: %w", errors.Join(ended, ctx.Err()))
	}
	if err != nil {
		return nil, fmt.Errorf("pull %s: %s: %w", name.Familiar(), program, err)
	}
	if last.Error != "" {
		return nil, last.failure()
	}
	store, err := image.Open(root)
	if err != nil {
		return nil, err
	}
	return store.Get(last.Image.String())
}

// follow reads what the program prints, to the end. It returns the last message.
func follow(out io.Reader, progress func(Event)) (last message, err error) {
	for lines := json.NewDecoder(out); ; {
		var m message
		if err := lines.Decode(&m); errors.Is(err, io.EOF) {
			return last, nil
		} else if err != nil {
			_, _ = io.Copy(io.Discard, out) // or it would never end
			return last, fmt.Errorf("what it says cannot be read (is it of this version?): %w", err)
		}
		if m.Event == nil {
			last = m
		} else if progress != nil {
			progress(*m.Event)
		}
	}
}

func (m message) failure() error {
	f := &failure{text: m.Error}
	for _, k := range kinds {
		if k.name == m.Kind {
			f.kind = k.err
		}
	}
	return f
}
