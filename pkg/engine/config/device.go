package config

import (
	"fmt"
	"path/filepath"
	"strconv"
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

// DeviceRule lets the container use device nodes that it finds or makes, such
// as those of a driver whose devices come and go. Major and Minor may be -1:
// any.
type DeviceRule struct {
	Type   string `json:"type"` // a, b or c: all, block, character
	Major  int64  `json:"major"`
	Minor  int64  `json:"minor"`
	Access string `json:"access"` // of r, w, m
}

// ParseDeviceRule reads TYPE MAJOR:MINOR ACCESS, as the kernel's own file
// devices.allow takes it: "c 13:* rwm".
func ParseDeviceRule(s string) (DeviceRule, error) {
	wrong := fmt.Errorf("invalid device rule %q: want TYPE MAJOR:MINOR ACCESS, such as \"c 13:* rwm\"", s)
	fields := strings.Split(s, " ")
	if len(fields) != 3 || len(fields[0]) != 1 || !strings.Contains("abc", fields[0]) || !isPermissions(fields[2]) || len(fields[2]) > 3 {
		return DeviceRule{}, wrong
	}
	major, minor, ok := strings.Cut(fields[1], ":")
	r := DeviceRule{Type: fields[0], Access: fields[2]}
	var err1, err2 error
	r.Major, err1 = deviceNumber(major)
	r.Minor, err2 = deviceNumber(minor)
	if !ok || err1 != nil || err2 != nil {
		return DeviceRule{}, wrong
	}
	return r, nil
}

// String is the rule as it was written.
func (r DeviceRule) String() string {
	number := func(n int64) string {
		if n < 0 {
			return "*"
		}
		return strconv.FormatInt(n, 10)
	}
	return r.Type + " " + number(r.Major) + ":" + number(r.Minor) + " " + r.Access
}

func deviceNumber(s string) (int64, error) {
	if s == "*" {
		return -1, nil
	}
	n, err := strconv.ParseUint(s, 10, 20)
	return int64(n), err
}

// DeviceRate is a limit of one block device, or its weight.
type DeviceRate struct {
	Path string `json:"path"` // of the device on the host
	Rate uint64 `json:"rate"`
}

// Disks are the paths of all devices that there is a limit or a weight for.
func (r *Resources) Disks() []string {
	var paths []string
	for _, list := range [][]DeviceRate{r.BlkioWeightDevice, r.DeviceReadBps, r.DeviceWriteBps, r.DeviceReadIOPS, r.DeviceWriteIOPS} {
		for _, d := range list {
			paths = append(paths, d.Path)
		}
	}
	return paths
}

// ParseDeviceBps reads PATH:BYTES, a limit in bytes a second.
func ParseDeviceBps(s string) (DeviceRate, error) {
	return parseRate(s, "a size", func(v string) (uint64, error) {
		n, err := ParseSize(v)
		return uint64(n), err
	})
}

// ParseDeviceIOPS reads PATH:NUMBER, a limit in operations a second.
func ParseDeviceIOPS(s string) (DeviceRate, error) {
	return parseRate(s, "a number", func(v string) (uint64, error) { return strconv.ParseUint(v, 10, 64) })
}

// ParseDeviceWeight reads PATH:WEIGHT.
func ParseDeviceWeight(s string) (DeviceRate, error) {
	return parseRate(s, "a weight from 10 to 1000", func(v string) (uint64, error) {
		n, err := strconv.ParseUint(v, 10, 16)
		if err == nil && n != 0 && (n < 10 || n > 1000) {
			err = strconv.ErrRange
		}
		return n, err
	})
}

func parseRate(s, what string, parse func(string) (uint64, error)) (DeviceRate, error) {
	path, value, ok := strings.Cut(s, ":")
	if !ok || !strings.HasPrefix(path, "/dev/") {
		return DeviceRate{}, fmt.Errorf("invalid limit %q: want /dev/DEVICE:VALUE", s)
	}
	rate, err := parse(value)
	if err != nil {
		return DeviceRate{}, fmt.Errorf("invalid limit %q: %q is not %s", s, value, what)
	}
	return DeviceRate{filepath.Clean(path), rate}, nil
}
