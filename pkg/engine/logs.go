package engine

import (
	"context"
	"fmt"
	"time"

	"minictr/pkg/logging"
)

// LogOptions choose what Logs reads.
type LogOptions struct {
	Since, Until time.Time
	Tail         int  // so many entries from the end; negative: all
	Follow       bool // wait for more until the container ends
}

// Logs passes on what a container has printed.
func (e *Engine) Logs(ctx context.Context, c *Container, o LogOptions, each func(logging.Message) error) error {
	path := e.logPath(c)
	if path == "" {
		return fmt.Errorf("container %s keeps no log (--log-driver none)", c.Name)
	}
	read := logging.Options{Since: o.Since, Until: o.Until, Tail: o.Tail}
	if o.Follow && c.Running() {
		ended := make(chan struct{})
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			defer close(ended)
			_, _ = e.Wait(ctx, c) // however it ends, nothing more comes
		}()
		read.Follow = ended
	}
	return logging.Read(ctx, path, read, each)
}
