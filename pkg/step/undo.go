package step

import (
	"errors"
	"fmt"

	"minictr/pkg/kernel"
)

// Undo takes back the steps named in journal, last one first. It goes on after
// an error, so that one thing that cannot be undone does not keep the rest.
func Undo(plan Plan, journal []string, observe func(Event)) error {
	began := make(map[string]bool, len(journal))
	for _, name := range journal {
		began[name] = true
	}
	var errs []error
	for i := len(plan) - 1; i >= 0; i-- {
		s := plan[i]
		if !began[s.Name] || s.Undo == nil {
			continue
		}
		if observe != nil {
			observe(stepEvent(UndoEvent, i, s))
		}
		host := kernel.NewHost()
		do := func(c kernel.Call) error {
			text := ""
			if observe != nil {
				text = host.Text(c)
			}
			r, err := host.Do(c)
			if observe != nil && r.State != kernel.Skipped {
				observe(callEvent(i, s, c, text, r))
			}
			return err
		}
		if err := s.Undo(do); err != nil {
			errs = append(errs, fmt.Errorf("undo %s: %w", s.Name, err))
		}
		host.CloseAll()
	}
	return errors.Join(errs...)
}
