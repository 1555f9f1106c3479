package explain

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Mount is one line of /proc/<pid>/mountinfo (proc_pid_mountinfo(5)).
type Mount struct {
	ID          int    `json:"id"`
	Parent      int    `json:"parent"`
	Device      string `json:"device"` // major:minor
	Root        string `json:"root"`   // which directory of the file system
	Point       string `json:"point"`  // where it is mounted, as seen from the process's root
	Options     string `json:"options"`
	Propagation string `json:"propagation"` // "private" if the line says nothing
	Type        string `json:"type"`
	Source      string `json:"source"`
	Super       string `json:"super"` // options of the file system
}

func (m Mount) String() string {
	parts := []string{m.Point, m.Type, m.Options, m.Propagation, "from", m.Source}
	if m.Root != "/" {
		parts = append(parts, "(its "+m.Root+")")
	}
	if m.Super != "" && m.Super != m.Options {
		parts = append(parts, "{"+m.Super+"}")
	}
	return strings.Join(parts, " ")
}

func mounts(proc string) ([]Mount, error) {
	f, err := os.Open(filepath.Join(proc, "mountinfo"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseMountinfo(f)
}

func parseMountinfo(r io.Reader) ([]Mount, error) {
	var all []Mount
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20) // overlay with many layers makes long lines
	for lines.Scan() {
		m, err := parseMount(lines.Text())
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, lines.Err()
}

// parseMount reads one line: six fields, any number of propagation tags, "-",
// and three fields of the file system.
func parseMount(line string) (Mount, error) {
	f := strings.Split(line, " ")
	dash := 6
	for dash < len(f) && f[dash] != "-" {
		dash++
	}
	if len(f) < dash+4 {
		return Mount{}, fmt.Errorf("read mountinfo line %q: %d fields are too few", line, len(f))
	}
	id, err := strconv.Atoi(f[0])
	if err != nil {
		return Mount{}, fmt.Errorf("read mountinfo line %q: %w", line, err)
	}
	parent, err := strconv.Atoi(f[1])
	if err != nil {
		return Mount{}, fmt.Errorf("read mountinfo line %q: %w", line, err)
	}
	propagation := strings.Join(f[6:dash], " ")
	if propagation == "" {
		propagation = "private"
	}
	return Mount{
		ID: id, Parent: parent, Device: f[2], Root: unoctal(f[3]), Point: unoctal(f[4]), Options: f[5],
		Propagation: propagation, Type: f[dash+1], Source: unoctal(f[dash+2]), Super: f[dash+3],
	}, nil
}

// unoctal undoes the kernel's escapes of space, tab, newline and backslash.
func unoctal(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
