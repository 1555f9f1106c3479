package engine

import (
	"maps"
	"slices"
	"time"

	"minictr/pkg/engine/config"
	"minictr/pkg/rootfs"
	"minictr/pkg/secret"
)

// SecretInspection is what may be known of a secret, in docker's words: all but
// the secret.
type SecretInspection struct {
	ID        string
	Version   struct{ Index int }
	CreatedAt time.Time
	UpdatedAt time.Time
	Spec      SecretSpec
}

// SecretSpec is what the user said of it.
type SecretSpec struct {
	Name   string
	Labels map[string]string
}

// InspectSecret tells what may be known of a secret.
func (e *Engine) InspectSecret(ref string) (*SecretInspection, error) {
	v, err := e.Secrets().Get(ref)
	if err != nil {
		return nil, err
	}
	i := &SecretInspection{ID: v.ID, CreatedAt: v.Created, UpdatedAt: v.Created, Spec: SecretSpec{v.Name, maps.Clone(v.Labels)}}
	if i.Spec.Labels == nil {
		i.Spec.Labels = map[string]string{}
	}
	return i, nil
}

// Secrets are this machine's.
func (e *Engine) Secrets() *secret.Store { return secret.Open(e.Dirs.Root) }

// SelectSecrets lists the secrets that pass docker's filters: id, name, label.
func (e *Engine) SelectSecrets(f Filters) ([]secret.Secret, error) {
	if err := f.Check("id", "name", "label"); err != nil {
		return nil, err
	}
	list, err := e.Secrets().List()
	return slices.DeleteFunc(list, func(v secret.Secret) bool {
		return !f.begins("id", v.ID) || !f.matches("name", v.Name) || !f.Labels(v.Labels)
	}), err
}

// RemoveSecret removes a secret that no container has.
func (e *Engine) RemoveSecret(ref string) error {
	return e.Secrets().Remove(ref, func(name string) ([]string, error) {
		list, err := e.List()
		var users []string
		for _, c := range list {
			if slices.ContainsFunc(c.Config.Secrets, func(s config.Secret) bool { return s.Name == name }) {
				users = append(users, c.ShortID())
			}
		}
		return users, err
	})
}

// holdSecrets keeps the secrets of a container from being removed until its
// record says that it has them.
func (e *Engine) holdSecrets(c *config.Config) (release func(), err error) {
	var held []func()
	release = func() {
		for _, let := range held {
			let()
		}
	}
	for _, s := range c.Secrets {
		let, err := e.Secrets().Hold(s.Name)
		if err != nil {
			release()
			return nil, err
		}
		held = append(held, let)
	}
	return release, nil
}

// secretFiles are a container's secrets as its plan wants them: where they are,
// and not what.
func (e *Engine) secretFiles(c *Container) ([]rootfs.Secret, error) {
	var files []rootfs.Secret
	for _, s := range c.Config.Secrets {
		v, err := e.Secrets().Get(s.Name)
		if err != nil {
			return nil, err
		}
		files = append(files, rootfs.Secret{Source: v.Data, Target: s.Target, UID: s.UID, GID: s.GID, Mode: s.Mode})
	}
	return files, nil
}
