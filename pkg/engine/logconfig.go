package engine

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"github.com/docker/go-units"

	"minictr/pkg/engine/config"
	"minictr/pkg/engine/templates"
	"minictr/pkg/logging"
)

// logConfig works out a container's logging options for its shim, which knows
// nothing of labels, templates and units. They were checked when they were read.
func (e *Engine) logConfig(c *Container) (logging.Config, error) {
	o := c.Config.Log.Options
	path, format := e.readableLog(c)
	l := logging.Config{
		Driver: c.Config.Log.Driver, Path: path, ID: c.ID, Name: c.Name, Image: c.Image.Name, Attrs: c.logAttributes(),
	}
	prefix := ""
	if format != l.Driver {
		prefix = config.CachePrefix // the copy's options
	}
	limitFiles(&l, format, o[prefix+"max-size"], o[prefix+"max-file"], o[prefix+"compress"])
	if o["mode"] == "non-blocking" {
		l.Buffer = 1 << 20
		if o["max-buffer-size"] != "" {
			l.Buffer, _ = config.ParseSize(o["max-buffer-size"])
		}
	}
	tag := o["tag"]
	if tag == "" && (l.Driver == "journald" || l.Driver == "syslog") {
		tag = "{{.ID}}"
	}
	if l.Driver == "syslog" {
		l.Format = o["syslog-format"]
		l.Facility, _ = config.ParseFacility(o["syslog-facility"])
		if o["syslog-address"] != "" {
			l.Address, _ = config.ParseSyslogAddress(o["syslog-address"])
		}
	}
	var err error
	l.Tag, err = c.logTag(tag)
	return l, err
}

// limitFiles says how large files in this format grow and how many are kept.
// Local's rotate unless that is forbidden, so nobody's disk fills up.
func limitFiles(l *logging.Config, format, size, count, compress string) {
	if format == "local" {
		size, count, compress = cmp.Or(size, "20971520"), cmp.Or(count, "5"), cmp.Or(compress, "true") // docker's: 20 MiB
	}
	if size != "" && size != "-1" {
		l.MaxSize, _ = units.FromHumanSize(size)
	}
	l.MaxFile, _ = strconv.Atoi(count)
	l.Compress, _ = strconv.ParseBool(compress)
}

// tagWords are what docker's templates for tags know of a container.
type tagWords struct {
	ID, FullID, Name, ImageID, ImageFullID, ImageName, Command, DaemonName string
}

// Hostname is this machine's name.
func (tagWords) Hostname() (string, error) { return os.Hostname() }

// logTag fills in a tag's template, such as {{.Name}}/{{.ID}}.
func (c *Container) logTag(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	tmpl, err := template.New("log-tag").Funcs(templates.Funcs).Parse(text)
	var b strings.Builder
	if err == nil {
		image := strings.TrimPrefix(c.Image.ID, "sha256:")
		err = tmpl.Execute(&b, tagWords{
			ID: c.ShortID(), FullID: c.ID, Name: c.Name, ImageID: short(image), ImageFullID: c.Image.ID, ImageName: c.Image.Name,
			Command: strings.Join(c.Args, " "), DaemonName: "minictr",
		})
	}
	if err != nil {
		return "", fmt.Errorf("log opt tag=%s: %w", text, err)
	}
	return b.String(), nil
}

// readableLog is the file that a container's output can be read from, and the
// driver in whose format it is: of what goes elsewhere, a copy. Both are "" if
// nothing is kept.
func (e *Engine) readableLog(c *Container) (path, format string) {
	driver := c.Config.Log.Driver
	switch driver {
	case "journald", "syslog":
		if disabled, _ := strconv.ParseBool(c.Config.Log.Options[config.CachePrefix+"disabled"]); disabled {
			return "", ""
		}
		return filepath.Join(e.Dirs.Container(c.ID), "container-cached.log"), "local"
	}
	return e.logPath(c), driver
}

// logPath is the file that a container's driver keeps its output in; "" if it
// keeps none.
func (e *Engine) logPath(c *Container) string {
	dir := e.Dirs.Container(c.ID)
	switch c.Config.Log.Driver {
	case "", "json-file":
		return filepath.Join(dir, c.ID+"-json.log")
	case "local":
		return filepath.Join(dir, "local-logs", "container.log")
	}
	return ""
}
