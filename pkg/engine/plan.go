package engine

import (
	"context"
	"errors"

	"minictr/pkg/engine/config"
	"minictr/pkg/runtime"
	"minictr/pkg/step"
)

// Plan is what creating and starting a container would do to the kernel, with
// the arguments it would really have: for that the container is created, gets
// an address, and is forgotten again. Nothing runs and nothing is mounted.
func (e *Engine) Plan(ctx context.Context, cfg config.Config, without []string, o ImageOptions) (step.Plan, error) {
	c, err := e.Create(ctx, cfg, o)
	if err != nil {
		return nil, err
	}
	plan, err := e.plan(c, without)
	return plan, errors.Join(err, e.Forget(context.WithoutCancel(ctx), c))
}

func (e *Engine) plan(c *Container, without []string) (step.Plan, error) {
	config, err := e.prepare(c)
	if err != nil {
		return nil, err
	}
	config.Without = without
	plan, err := runtime.Plan(config, runtime.IO{Terminal: c.Config.TTY})
	return plan, errors.Join(err, e.disconnect(config.Network))
}
