package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"os"

	"minictr/pkg/engine/archive"
)

// ownUsers tells whether the container has a user namespace.
func (c *Container) ownUsers() bool {
	return c.Config.Namespaces.User != "" && c.Config.Namespaces.User != "host"
}

// ownersInside translates owners of a running container's files, as we see
// them, into what they are inside; nil if both are the same. While it does not
// run its files are looked at without its user namespace, as they are on disk.
func (c *Container) ownersInside() (func(archive.Owner) archive.Owner, error) {
	if !c.Running() || !c.ownUsers() {
		return nil, nil
	}
	var maps [2]idMap
	for i, name := range []string{"uid_map", "gid_map"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", c.State.Pid, name))
		if err != nil {
			return nil, fmt.Errorf("find the users of container %s: %w", c.Name, err)
		}
		maps[i] = parseIDMap(text)
	}
	return func(o archive.Owner) archive.Owner {
		return archive.Owner{UID: maps[0].inside(o.UID), GID: maps[1].inside(o.GID)}
	}, nil
}

// idMap is a map of user_namespaces(7): lines of first inside, first outside,
// count.
type idMap []idRange

type idRange struct{ within, outside, count int }

func parseIDMap(text []byte) (m idMap) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var r idRange
		if n, _ := fmt.Sscan(lines.Text(), &r.within, &r.outside, &r.count); n == 3 {
			m = append(m, r)
		}
	}
	return m
}

// inside is what a number outside is inside; one without a meaning there stays.
func (m idMap) inside(id int) int {
	for _, r := range m {
		if id >= r.outside && id-r.outside < r.count {
			return r.within + id - r.outside
		}
	}
	return id
}
