package engine

import (
	"cmp"
	"maps"
	"strconv"
	"strings"

	"minictr/pkg/engine/config"
	"minictr/pkg/record"
	"minictr/pkg/shim"
)

// about are the attributes that docker gives the events of a container: its
// name, its image, and its labels.
func (c *Container) about() map[string]string {
	about := maps.Clone(c.Image.Config.Labels)
	if about == nil {
		about = make(map[string]string, 2)
	}
	maps.Copy(about, c.Config.Labels)
	about["name"], about["image"] = c.Name, c.Image.Name
	return about
}

// tell tells of an event in a container's life (package record). Its shim tells
// of its own. That nobody can be told is no reason for anything.
func (e *Engine) tell(c *Container, action string, more map[string]string) {
	_ = record.TellContainer(e.Dirs, c.ID, action, c.about(), more)
}

// tellExec tells that one more process begins in a container, and returns what
// tells the rest of its life.
func (e *Engine) tellExec(c *Container, args []string) (tell func(action string, more map[string]string)) {
	line, about := strings.Join(args, " "), with(c.about(), "execID", newID())
	_ = record.Tell(e.Dirs,
		record.ContainerEvent(c.ID, "exec_create: "+line, about, nil),
		record.ContainerEvent(c.ID, "exec_start: "+line, about, nil))
	return func(action string, more map[string]string) {
		_ = record.TellContainer(e.Dirs, c.ID, action, about, more)
	}
}

// with is a copy of attributes with one more.
func with(attributes map[string]string, key, value string) map[string]string {
	all := map[string]string{key: value}
	maps.Copy(all, attributes)
	return all
}

// tellVolume tells that a volume was made, or removed.
func (e *Engine) tellVolume(name, action string) {
	_ = record.Tell(e.Dirs, record.VolumeEvent(name, action))
}

// tellImage tells of an image, by the name that is concerned if there is one.
func (e *Engine) tellImage(id, action, name string, labels map[string]string) {
	about := with(labels, "name", cmp.Or(name, id))
	_ = record.Tell(e.Dirs, record.Event{Status: action, ID: id, Type: "image", Action: action, Actor: record.Actor{ID: id, Attributes: about}})
}

// tellPrune tells how many bytes a clearing up has given back.
func (e *Engine) tellPrune(kind string, bytes int64) {
	about := map[string]string{"reclaimed": strconv.FormatInt(bytes, 10)}
	_ = record.Tell(e.Dirs, record.Event{Type: kind, Action: "prune", Actor: record.Actor{Attributes: about}})
}

// connections are the volumes that the container mounts and the network that it is on,
// for its shim to tell of.
func (c *Container) connections() (list []shim.Use) {
	if mode := c.NetworkNames()[0]; !strings.HasPrefix(mode, "container:") {
		driver := mode
		if mode == "none" {
			driver = "null"
		}
		list = append(list, shim.Use{Type: "network", ID: mode, Attributes: map[string]string{"container": c.ID, "name": mode, "type": driver}})
	}
	for _, m := range c.Mounts {
		if m.Type == config.Volume {
			list = append(list, shim.Use{Type: "volume", ID: m.Source, Attributes: map[string]string{
				"container": c.ID, "destination": m.Target, "driver": "local", "propagation": m.Propagation, "read/write": strconv.FormatBool(!m.ReadOnly),
			}})
		}
	}
	return list
}
