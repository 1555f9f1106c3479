package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Device is a host device that the container may use.
type Device struct {
	Host        string `json:"host"`
	Container   string `json:"container"`
	Permissions string `json:"permissions"` // of r, w, m
}

// ParseDevice reads HOST[:CONTAINER][:PERMISSIONS].
func ParseDevice(s string) (Device, error) {
	parts := strings.Split(s, ":")
	d := Device{Host: parts[0], Container: parts[0], Permissions: "rwm"}
	switch {
	case len(parts) == 2 && isPermissions(parts[1]):
		d.Permissions = parts[1]
	case len(parts) == 2:
		d.Container = parts[1]
	case len(parts) == 3:
		d.Container, d.Permissions = parts[1], parts[2]
	}
	if len(parts) > 3 || !filepath.IsAbs(d.Host) || !filepath.IsAbs(d.Container) || !isPermissions(d.Permissions) {
		return d, fmt.Errorf("invalid device %q: want /dev/HOST[:/dev/CONTAINER][:rwm]", s)
	}
	return d, nil
}

func isPermissions(s string) bool {
	return s != "" && strings.Trim(s, "rwm") == ""
}
