package engine

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"minictr/pkg/engine/config"
	"minictr/pkg/image"
)

// containerFilters are the keys that Select knows.
var containerFilters = []string{
	"ancestor", "before", "exited", "expose", "health", "id", "is-task", "label", "name", "network", "publish", "since",
	"status", "volume",
}

var (
	statuses = []string{"created", "running", "paused", "restarting", "removing", "exited", "dead"}
	healths  = []string{"starting", "healthy", "unhealthy", "none"}
)

// selection is a set of filters with what they refer to looked up.
type selection struct {
	filters       Filters
	exited        []int
	publish       map[string]bool // "80/tcp"
	expose        map[string]bool
	ancestors     []ancestor
	before, since *Container
	task          bool
}

// ancestor is an image asked for: its ID, and its layers as a container of it,
// or of an image built on it, has them at the bottom of its own.
type ancestor struct {
	name, id string
	layers   []string
}

// Select keeps the containers that satisfy the filters: docker's keys, with
// docker's meaning.
func (e *Engine) Select(list []*Container, f Filters) ([]*Container, error) {
	s, err := e.selection(list, f)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(c *Container) bool { return !s.has(e, c) }), nil
}

func (e *Engine) selection(list []*Container, f Filters) (*selection, error) {
	s := &selection{filters: f}
	if err := f.Check(containerFilters...); err != nil {
		return nil, err
	}
	for key, allowed := range map[string][]string{"status": statuses, "health": healths} {
		for _, v := range f[key] {
			if !slices.Contains(allowed, v) {
				return nil, fmt.Errorf("%w: want one of %s", bad(key, v), strings.Join(allowed, ", "))
			}
		}
	}
	for _, v := range f["exited"] {
		code, err := strconv.Atoi(v)
		if err != nil {
			return nil, bad("exited", v)
		}
		s.exited = append(s.exited, code)
	}
	var err error
	if s.publish, err = portSet("publish", f["publish"]); err != nil {
		return nil, err
	}
	if s.expose, err = portSet("expose", f["expose"]); err != nil {
		return nil, err
	}
	if s.task, _, err = f.Bool("is-task"); err != nil {
		return nil, err
	}
	if s.ancestors, err = e.ancestors(f["ancestor"]); err != nil {
		return nil, err
	}
	return s, e.neighbours(s, list)
}

// neighbours looks up the containers that before and since name.
func (e *Engine) neighbours(s *selection, list []*Container) error {
	for _, n := range []struct {
		key string
		dst **Container
	}{{"before", &s.before}, {"since", &s.since}} {
		for _, ref := range s.filters[n.key] {
			at := slices.IndexFunc(list, func(c *Container) bool { return c.Name == ref || c.ID == ref })
			if at >= 0 {
				*n.dst = list[at]
				continue
			}
			c, err := e.Get(ref)
			if err != nil {
				return err
			}
			*n.dst = c
		}
	}
	return nil
}

// ancestors looks up images. One that is not here any more is known by the
// name that containers were made with.
func (e *Engine) ancestors(refs []string) ([]ancestor, error) {
	var list []ancestor
	for _, ref := range refs {
		a := ancestor{name: ref}
		img, err := e.Images.Get(ref)
		switch {
		case err == nil:
			a.id, a.layers = img.ID.String(), img.LowerDirs()
		case !errors.Is(err, image.ErrNotFound) && !errors.Is(err, image.ErrName):
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// portSet reads ports as publish and expose take them: 80, 80/udp, 8000-8080/tcp.
func portSet(key string, values []string) (map[string]bool, error) {
	set := make(map[string]bool)
	for _, v := range values {
		ports, protocol, given := strings.Cut(v, "/")
		if !given {
			protocol = "tcp"
		}
		from, to, isRange := strings.Cut(ports, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseUint(from, 10, 16)
		last, err2 := strconv.ParseUint(to, 10, 16)
		if err1 != nil || err2 != nil || last < first || !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
			return nil, bad(key, v)
		}
		for p := first; p <= last; p++ {
			set[fmt.Sprintf("%d/%s", p, protocol)] = true
		}
	}
	return set, nil
}

func (s *selection) has(e *Engine, c *Container) bool {
	f := s.filters
	return !s.task && f.begins("id", c.ID) && f.matches("name", c.Name, "/"+c.Name) &&
		f.exactly("status", string(c.State.Status)) && f.exactly("health", c.HealthStatus()) && f.Labels(c.Labels()) &&
		s.hasExited(c) && s.hasPorts(c) && s.hasAncestor(c) && s.hasVolume(e, c) && s.hasNetwork(e, c) &&
		(s.before == nil || c.Created.Before(s.before.Created)) && (s.since == nil || c.Created.After(s.since.Created))
}

func (s *selection) hasExited(c *Container) bool {
	return len(s.exited) == 0 || !c.Running() && !c.State.StartedAt.IsZero() && slices.Contains(s.exited, c.State.ExitCode)
}

func (s *selection) hasPorts(c *Container) bool {
	hit := func(want map[string]bool, have []string) bool {
		return len(want) == 0 || slices.ContainsFunc(have, func(p string) bool { return want[p] })
	}
	var published, exposes []string
	if len(s.publish) > 0 || len(s.expose) > 0 {
		for port := range bindings(c.Config.Ports) {
			published = append(published, port)
		}
		if exposes = c.exposes(); c.Config.PublishAll {
			published = append(published, exposes...)
		}
	}
	return hit(s.publish, published) && hit(s.expose, append(exposes, published...))
}

func (s *selection) hasAncestor(c *Container) bool {
	return len(s.ancestors) == 0 || slices.ContainsFunc(s.ancestors, func(a ancestor) bool {
		below := len(c.Layers) - len(a.layers)
		return a.name == c.Image.Name || a.id != "" && a.id == c.Image.ID ||
			len(a.layers) > 0 && below >= 0 && slices.Equal(c.Layers[below:], a.layers)
	})
}

func (s *selection) hasVolume(e *Engine, c *Container) bool {
	want := s.filters["volume"]
	return len(want) == 0 || slices.ContainsFunc(c.Mounts, func(m config.Mount) bool {
		if slices.Contains(want, m.Target) || m.Type != config.Tmpfs && slices.Contains(want, m.Source) {
			return true
		}
		return m.Type == config.Volume && slices.Contains(want, e.volumeData(m.Source))
	})
}

func (e *Engine) volumeData(name string) string {
	v, err := e.Volumes.Get(name)
	if err != nil {
		return ""
	}
	return v.Data
}

func (s *selection) hasNetwork(e *Engine, c *Container) bool {
	want := s.filters["network"]
	return len(want) == 0 || slices.ContainsFunc(c.NetworkNames(), func(n string) bool { return slices.Contains(want, n) })
}

// NetworkNames are the networks that the container is, or would be, on.
func (c *Container) NetworkNames() []string {
	mode := c.Config.Mode
	if mode == "" || mode == "default" {
		mode = "bridge"
	}
	return []string{mode}
}

// Labels are the image's labels, and over them the container's own.
func (c *Container) Labels() map[string]string {
	labels := make(map[string]string, len(c.Image.Config.Labels)+len(c.Config.Labels))
	for _, from := range []map[string]string{c.Image.Config.Labels, c.Config.Labels} {
		for k, v := range from {
			labels[k] = v
		}
	}
	return labels
}
