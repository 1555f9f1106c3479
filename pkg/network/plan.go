package network

import "minictr/pkg/step"

// Prepare returns the steps that come before the clone.
func Prepare(ep *Endpoint) []step.Step {
	steps := []step.Step{Bridge(ep), NAT(ep)}
	if ep.blocked() {
		steps = append(steps, Forward(ep))
	}
	if len(ep.Ports) > 0 {
		steps = append(steps, Reserve(ep))
	}
	return steps
}

// Attach returns the steps that the host makes after the clone. Configure, on
// the other side, waits for them.
func Attach(ep *Endpoint) []step.Step {
	steps := []step.Step{Plug(ep)}
	if len(ep.Ports) > 0 {
		steps = append(steps, Publish(ep))
	}
	return steps
}
