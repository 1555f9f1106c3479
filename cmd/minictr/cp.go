package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/engine/archive"
	"minictr/pkg/image/layer"
	"minictr/pkg/terminal"
)

func newCp(a *app) *cobra.Command {
	var f cpFlags
	cmd := &cobra.Command{
		Use:   "cp [OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-",
		Short: "Copy files into a container, or out of one",
		Long: `Copy files and directories into a container, or out of one, whether it runs or
not. '-' in place of a path of this machine is a tar stream.

A directory is copied with its name into a directory that exists, and as a new
directory of that name otherwise; 'dir/.' is what is in it. Paths of a
container begin at its root. Nothing in the container can lead a path out of
it, not even a program that changes links meanwhile: the kernel resolves every
path with the container's root as its root (openat2, RESOLVE_IN_ROOT).

  minictr cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH`,
		Example: `  minictr cp web:/etc/nginx/nginx.conf .
  minictr cp site/. web:/srv/www
  minictr cp web:/var/log - | tar t`,
		Args: exactly(2, "a source and a destination"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.tell = cmd.Flags().Changed("quiet") && !f.quiet
			return a.cp(cmd.Context(), args[0], args[1], f)
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&f.followLink, "follow-link", "L", false, "of a source that is a link, copy what it leads to")
	fs.BoolVarP(&f.archive, "archive", "a", false, "keep the owners of what is copied to this machine")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "do not tell when it is done")
	return cmd
}

type cpFlags struct {
	followLink, archive, quiet bool

	tell bool // --quiet=false: tell also where no terminal is
}

// place is one end of a copy: a path, in a container or on this machine. It
// ends in "/" or "/." if it was written so, for that means something.
type place struct{ container, path string }

// parsePlace splits CONTAINER:PATH. A path that begins with "/" or "." is of
// this machine even with a colon in it.
func parsePlace(s string) place {
	if strings.HasPrefix(s, "/") || strings.HasPrefix(s, ".") {
		return place{path: s}
	}
	container, path, ok := strings.Cut(s, ":")
	if !ok {
		return place{path: s}
	}
	return place{container, path}
}

func (a *app) cp(ctx context.Context, from, to string, f cpFlags) error {
	src, dst := parsePlace(from), parsePlace(to)
	switch {
	case src.container != "" && dst.container != "":
		return errors.New("copying between containers is not supported")
	case src.container == "" && dst.container == "":
		return errors.New("must specify at least one container source")
	case src.path == "" || dst.path == "":
		return errors.New("a path is missing: want CONTAINER:PATH")
	}
	e, err := a.engine(ctx)
	if err != nil {
		return err
	}
	c, err := e.Get(src.container + dst.container)
	if err != nil {
		return err
	}
	p := copying{a: a, e: e, c: c, flags: f}
	if src.container != "" {
		return p.from(ctx, inContainer(src.path), dst.path)
	}
	return p.to(ctx, src.path, inContainer(dst.path))
}

// inContainer takes a path of a container from its root, and keeps what it ends
// with.
func inContainer(path string) string { return keepEnd(filepath.Join("/", path), path) }

// keepEnd gives a cleaned path the end that the original had: "/." or "/".
func keepEnd(clean, original string) string {
	slash := strings.TrimSuffix(clean, "/") + "/"
	switch {
	case original == "." || strings.HasSuffix(original, "/."):
		return slash + "."
	case strings.HasSuffix(original, "/"):
		return slash
	}
	return clean
}

// copying is one cp.
type copying struct {
	a     *app
	e     *engine.Engine
	c     *engine.Container
	flags cpFlags
}

// from copies out of the container.
func (p *copying) from(ctx context.Context, src, dst string) error {
	rename := ""
	if p.flags.followLink {
		stat, err := p.e.StatPath(ctx, p.c, src)
		if err != nil {
			return err
		}
		if stat.LinkTarget != "" {
			rename, src = filepath.Base(src), stat.LinkTarget
		}
	}
	if dst == "-" {
		if terminal.IsTerminal(os.Stdout) {
			return errors.New("a tar stream is no text for a terminal: use a pipe, or a file")
		}
		return p.e.CopyFrom(ctx, p.c, src, p.a.out, func(engine.PathStat) error { return nil })
	}
	stream, w := io.Pipe()
	target := make(chan copyTarget, 1)
	failed := make(chan error, 1)
	go func() { // ends when the copy does, or when nobody reads it
		err := p.e.CopyFrom(ctx, p.c, src, w, func(s engine.PathStat) error {
			t, err := localTarget(cpSource{src, s.Mode.IsDir(), rename}, dst)
			if err == nil {
				target <- t
			}
			return err
		})
		close(target)
		_ = w.CloseWithError(err)
		failed <- err
	}()
	t, ok := <-target
	if !ok {
		return <-failed
	}
	n, err := p.extract(ctx, stream, t)
	_ = stream.CloseWithError(io.ErrClosedPipe)
	if cause := <-failed; cause != nil && !errors.Is(cause, io.ErrClosedPipe) {
		return cause
	}
	if err != nil {
		return err
	}
	p.done(n, dst)
	return nil
}

func (p *copying) extract(ctx context.Context, stream io.Reader, t copyTarget) (int64, error) {
	dir, err := os.Open(t.dir)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	o := archive.Options{Rename: t.rename}
	if !p.flags.archive {
		o.Owner = &archive.Owner{UID: os.Getuid(), GID: os.Getgid()}
	}
	return archive.Extract(ctx, stream, int(dir.Fd()), ".", o)
}

// done tells people what was copied, as docker does where somebody looks.
func (p *copying) done(n int64, to string) {
	if p.flags.tell || !p.flags.quiet && terminal.IsTerminal(os.Stderr) {
		p.a.notice(fmt.Sprintf("Successfully copied %s to %s", size(n), to))
	}
}

// to copies into the container.
func (p *copying) to(ctx context.Context, src, dst string) error {
	to, err := p.destination(ctx, dst)
	if err != nil {
		return err
	}
	if src == "-" {
		if !to.isDir {
			return fmt.Errorf("destination \"%s:%s\" must be a directory", p.c.Name, dst)
		}
		stream, _, err := layer.Decompress(ctx, os.Stdin)
		if err != nil {
			return err
		}
		_, err = p.e.CopyTo(ctx, p.c, to.path, stream, archive.Options{})
		return errors.Join(err, stream.Close())
	}
	from, fd, err := openSource(src, p.flags.followLink)
	if err != nil {
		return err
	}
	defer fd.Close()
	t, err := aim(from, to)
	if err != nil {
		return err
	}
	stream, w := io.Pipe()
	go func() { // ends when the copy does, or when nobody reads it
		out := archive.NewWriter(ctx, w)
		err := out.Below(int(fd.Fd()), from.base())
		if err == nil {
			err = out.Close()
		}
		_ = w.CloseWithError(err)
	}()
	n, err := p.e.CopyTo(ctx, p.c, t.dir, stream, archive.Options{Rename: t.rename})
	_ = stream.CloseWithError(io.ErrClosedPipe)
	if err != nil {
		return err
	}
	p.done(n, p.c.Name+":"+dst)
	return nil
}

// destination looks at what is at the container's path now. A link there is
// followed; where it leads to may be missing.
func (p *copying) destination(ctx context.Context, path string) (cpTarget, error) {
	t := cpTarget{path: path}
	stat, err := p.e.StatPath(ctx, p.c, path)
	for links := 0; err == nil && stat.LinkTarget != "" && links < 40; links++ {
		t.path = stat.LinkTarget
		stat, err = p.e.StatPath(ctx, p.c, t.path)
	}
	var missing *engine.NoFileError
	if errors.As(err, &missing) {
		return t, nil
	}
	t.exists, t.isDir = err == nil, err == nil && stat.Mode.IsDir()
	return t, err
}

// localTarget is destination and aim for a path of this machine.
func localTarget(from cpSource, dst string) (copyTarget, error) {
	to := cpTarget{path: keepEnd(filepath.Clean(dst), dst)}
	info, err := os.Stat(to.path)
	if errors.Is(err, fs.ErrNotExist) {
		if link, lerr := os.Readlink(to.path); lerr == nil { // a link to what is still to come
			if !filepath.IsAbs(link) {
				link = filepath.Join(filepath.Dir(to.path), link)
			}
			to.path = link
		}
		err = nil
	} else if err == nil {
		to.exists, to.isDir = true, info.IsDir()
		if real, lerr := filepath.EvalSymlinks(to.path); lerr == nil && !to.isDir {
			to.path = real // a link to a file is written through, as cp(1) does
		}
	}
	if err != nil {
		return copyTarget{}, err
	}
	t, err := aim(from, to)
	if err == nil {
		if _, serr := os.Stat(t.dir); serr != nil {
			err = fmt.Errorf("invalid output path: directory %q does not exist", t.dir)
		}
	}
	return t, err
}

// openSource opens a path of this machine to be copied.
func openSource(path string, follow bool) (cpSource, *os.File, error) {
	name := keepEnd(filepath.Clean(path), path)
	flags := openPath
	if !follow && !strings.HasSuffix(name, "/") {
		flags |= openNoFollow
	}
	f, err := os.OpenFile(name, flags, 0)
	if err != nil {
		return cpSource{}, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return cpSource{}, nil, err
	}
	return cpSource{path: name, isDir: info.IsDir()}, f, nil
}
