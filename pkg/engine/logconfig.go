package engine

import (
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
	l := logging.Config{
		Driver: c.Config.Log.Driver, Path: e.logPath(c), ID: c.ID, Name: c.Name, Image: c.Image.Name, Attrs: c.logAttributes(),
	}
	if o["max-size"] != "-1" {
		l.MaxSize, _ = units.FromHumanSize(o["max-size"])
	}
	l.MaxFile, _ = strconv.Atoi(o["max-file"])
	l.Compress, _ = strconv.ParseBool(o["compress"])
	if o["mode"] == "non-blocking" {
		l.Buffer = 1 << 20
		if o["max-buffer-size"] != "" {
			l.Buffer, _ = config.ParseSize(o["max-buffer-size"])
		}
	}
	tag := o["tag"]
	switch l.Driver {
	case "local":
		localDefaults(&l, o)
	case "journald", "syslog":
		if tag == "" {
			tag = "{{.ID}}"
		}
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

// localDefaults: this driver always rotates, so nobody's disk fills up.
func localDefaults(l *logging.Config, o map[string]string) {
	if o["max-size"] == "" {
		l.MaxSize = 20 << 20
	} else {
		l.MaxSize, _ = config.ParseSize(o["max-size"])
	}
	if l.MaxFile == 0 {
		l.MaxFile = 5
	}
	l.Compress = l.Compress || o["compress"] == ""
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

// logPath is the file that a container's output is kept in; "" if its driver
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
