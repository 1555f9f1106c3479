package engine

import (
	"maps"
	"strings"

	"minictr/pkg/record"
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

// tellExec tells of one more process in a container, and returns what tells the
// rest of its life.
func (e *Engine) tellExec(c *Container, args []string) func(action string, more map[string]string) {
	id, line := newID(), strings.Join(args, " ")
	tell := func(action string, more map[string]string) { e.tell(c, action, with(more, "execID", id)) }
	tell("exec_create: "+line, nil)
	tell("exec_start: "+line, nil)
	return tell
}

// with is a copy of attributes with one more.
func with(attributes map[string]string, key, value string) map[string]string {
	all := map[string]string{key: value}
	maps.Copy(all, attributes)
	return all
}
