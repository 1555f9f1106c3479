package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
)

// attributeOptions say what of the container goes with each entry; waitOptions
// whether the container waits for its driver.
const (
	attributeOptions = " labels labels-regex env env-regex tag "
	fileOptions      = " max-size max-file compress "
	waitOptions      = " mode max-buffer-size "
)

// CachePrefix begins the options of the copy that is kept of what goes
// elsewhere. As with docker a driver that needs no copy takes them and does
// without, so that the same options do for all of them.
const CachePrefix = "cache-"

const cacheOptions = " cache-disabled cache-max-size cache-max-file cache-compress "

// logDrivers are the drivers with the options each takes.
var logDrivers = map[string]string{
	"json-file": fileOptions + attributeOptions + waitOptions + cacheOptions,
	"local":     fileOptions + waitOptions + cacheOptions,
	"journald":  attributeOptions + waitOptions + cacheOptions,
	"syslog":    attributeOptions + waitOptions + cacheOptions + "syslog-address syslog-facility syslog-format",
	"none":      "",
}

// LogDrivers are the names of the logging drivers.
func LogDrivers() []string { return slices.Sorted(maps.Keys(logDrivers)) }

// otherDrivers are docker's that are still to come.
const otherDrivers = "awslogs etwlogs fluentd gcplogs gelf logentries splunk"

// Check says what is wrong with a choice of logging driver and options.
func (l Log) Check() error {
	if l.Driver == "" {
		return nil // which one that is depends on the machine's configuration
	}
	options, ok := logDrivers[l.Driver]
	switch {
	case contains(otherDrivers, l.Driver):
		return fmt.Errorf("--log-driver %s is not supported yet", l.Driver)
	case !ok:
		return fmt.Errorf("no log driver named '%s' is registered: there are %s", l.Driver, strings.Join(LogDrivers(), ", "))
	}
	for key, value := range l.Options {
		switch {
		case strings.HasPrefix(key, "syslog-tls-") && l.Driver == "syslog":
			return fmt.Errorf("log opt '%s' is not supported yet: syslog over TLS is to come", key)
		case !contains(options, key):
			return fmt.Errorf("unknown log opt '%s' for %s log driver", key, l.Driver)
		}
		if err := checkLogOption(key, value); err != nil {
			return fmt.Errorf("log opt %s=%s: %w", key, value, err)
		}
	}
	return l.checkTogether()
}

func checkLogOption(key, value string) (err error) {
	switch strings.TrimPrefix(key, CachePrefix) {
	case "max-size":
		var n int64
		if n, err = units.FromHumanSize(value); err == nil && n <= 0 && value != "-1" {
			err = errors.New("want a positive size")
		}
	case "max-buffer-size":
		_, err = ParseSize(value)
	case "max-file":
		if n, perr := strconv.Atoi(value); perr != nil || n < 1 {
			err = errors.New("want a number of files, at least 1")
		}
	case "disabled":
		if value != "" {
			_, err = strconv.ParseBool(value)
		}
	case "compress":
		_, err = strconv.ParseBool(value)
	case "mode":
		if value != "blocking" && value != "non-blocking" {
			err = errors.New("want blocking or non-blocking")
		}
	case "labels-regex", "env-regex":
		_, err = regexp.Compile(value)
	case "syslog-facility":
		_, err = ParseFacility(value)
	case "syslog-format":
		if !slices.Contains([]string{"", "rfc3164", "rfc5424", "rfc5424micro"}, value) {
			err = errors.New("want rfc3164, rfc5424 or rfc5424micro")
		}
	case "syslog-address":
		_, err = ParseSyslogAddress(value)
	}
	return err
}

func (l Log) checkTogether() error {
	o := l.Options
	if o["max-buffer-size"] != "" && o["mode"] != "non-blocking" {
		return errors.New("log opt max-buffer-size goes with mode=non-blocking only")
	}
	files, _ := strconv.Atoi(o["max-file"])
	if compress, _ := strconv.ParseBool(o["compress"]); compress && l.Driver == "json-file" && (files < 2 || o["max-size"] == "") {
		return errors.New("compress cannot be true when max-file is less than 2 or max-size is not set")
	}
	return nil
}

// facilities are syslog(3)'s by their names.
var facilities = []string{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	"", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

// ParseFacility reads the name or number of a facility; "" is daemon.
func ParseFacility(s string) (int, error) {
	if s == "" {
		s = "daemon"
	}
	if i := slices.Index(facilities, s); i >= 0 {
		return i, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 23 {
		return 0, errors.New("want a facility of syslog's, such as daemon or local0")
	}
	return n, nil
}

// ParseSyslogAddress reads unix://PATH, unixgram://PATH, udp://HOST[:PORT] or
// tcp://HOST[:PORT], and completes it: the port is 514.
func ParseSyslogAddress(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", err
	}
	switch u.Scheme {
	case "unix", "unixgram":
		if !strings.HasPrefix(u.Path, "/") {
			return "", errors.New("want an absolute path, as in unixgram:///dev/log")
		}
		return u.Scheme + "://" + u.Path, nil
	case "udp", "tcp":
		if u.Hostname() == "" {
			return "", errors.New("want a host, as in udp://192.0.2.1:514")
		}
		if u.Port() == "" {
			u.Host += ":514"
		}
		return u.Scheme + "://" + u.Host, nil
	case "tcp+tls":
		return "", errors.New("syslog over TLS is not supported yet")
	}
	return "", errors.New("want unix://, unixgram://, udp:// or tcp://")
}
