package engine

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"minictr/pkg/engine/bundle"
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
	path, format := e.readableLog(c)
	if path == "" {
		return errUnreadable
	}
	read := logging.Options{Driver: format, Since: o.Since, Until: o.Until, Tail: o.Tail}
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

// errUnreadable: the output went elsewhere and left no copy, or nowhere.
var errUnreadable = errors.New("configured logging driver does not support reading")

// LogDetails are the labels and variables of a container that its log options
// name, as docker prints them with `logs --details`: a=1,b=2.
func (c *Container) LogDetails() string {
	details := c.logAttributes()
	if o := c.Config.Log; o.Options["tag"] != "" && (o.Driver == "" || o.Driver == "json-file") {
		if tag, err := c.logTag(o.Options["tag"]); err == nil {
			details["tag"] = tag // that driver keeps it in each entry
		}
	}
	var list []string
	for _, key := range slices.Sorted(maps.Keys(details)) {
		list = append(list, url.QueryEscape(key)+"="+url.QueryEscape(details[key]))
	}
	return strings.Join(list, ",")
}

// logAttributes are those labels and variables.
func (c *Container) logAttributes() map[string]string {
	o := c.Config.Log.Options
	env := make(map[string]string)
	for _, kv := range bundle.Environment(c.Image.Config.Env, c.Config.Env) {
		key, value, _ := strings.Cut(kv, "=")
		env[key] = value
	}
	details := make(map[string]string)
	for _, from := range []struct {
		values         map[string]string
		names, pattern string
	}{{c.Labels(), o["labels"], o["labels-regex"]}, {env, o["env"], o["env-regex"]}} {
		re, err := regexp.Compile(from.pattern)
		for key, value := range from.values {
			if slices.Contains(strings.Split(from.names, ","), key) || from.pattern != "" && err == nil && re.MatchString(key) {
				details[key] = value
			}
		}
	}
	return details
}
