package bundle

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Identity is whom a process runs as.
type Identity struct {
	UID, GID uint32
	Groups   []uint32 // supplementary, with GID first
	Home     string
}

// User is the identity in the specification's words.
func (i Identity) User() specs.User {
	return specs.User{UID: i.UID, GID: i.GID, AdditionalGids: i.Groups}
}

// maxID is the highest user or group id that docker accepts.
const maxID = 1<<31 - 1

// Identify finds out whom NAME|UID[:GROUP|GID] means, given the texts of the
// container's /etc/passwd and /etc/group (empty where there are none). A
// number needs no entry in them; a name does. Without a group of its own the
// user has all groups that /etc/group gives it.
func Identify(user string, groupAdd []string, passwd, group []byte) (Identity, error) {
	name, groupName, explicit := strings.Cut(user, ":")
	if name == "" {
		name = "0"
	}
	id := Identity{Home: "/"}
	entry, found := findPasswd(passwd, name)
	switch n, err := parseID(name); {
	case found:
		id.UID, id.GID, id.Home = entry.uid, entry.gid, entry.home
	case err != nil:
		return id, fmt.Errorf("no user %q in the container's /etc/passwd (a number would need no entry)", name)
	default:
		id.UID = n
	}
	explicit = explicit && groupName != ""
	if explicit {
		gid, err := findGroup(group, groupName)
		if err != nil {
			return id, err
		}
		id.GID = gid
	}
	id.Groups = []uint32{id.GID}
	if found && !explicit {
		id.addGroups(memberships(group, entry.name))
	}
	for _, g := range groupAdd {
		gid, err := findGroup(group, g)
		if err != nil {
			return id, err
		}
		id.addGroups([]uint32{gid})
	}
	return id, nil
}

func (i *Identity) addGroups(gids []uint32) {
	for _, gid := range gids {
		if !slices.Contains(i.Groups, gid) {
			i.Groups = append(i.Groups, gid)
		}
	}
}

func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil && n > maxID {
		err = fmt.Errorf("%s is more than %d", s, maxID)
	}
	return uint32(n), err
}

type passwdEntry struct {
	name     string
	uid, gid uint32
	home     string
}

// findPasswd finds a user by name, else by number. Lines that make no sense
// are passed over, as the C library does.
func findPasswd(text []byte, user string) (passwdEntry, bool) {
	var byNumber passwdEntry
	found := false
	for fields := range entries(text, 6) {
		uid, err1 := parseID(fields[2])
		gid, err2 := parseID(fields[3])
		if err1 != nil || err2 != nil {
			continue
		}
		e := passwdEntry{fields[0], uid, gid, fields[5]}
		if e.home == "" {
			e.home = "/"
		}
		if e.name == user {
			return e, true
		}
		if !found && fields[2] == user {
			byNumber, found = e, true
		}
	}
	return byNumber, found
}

func findGroup(text []byte, group string) (uint32, error) {
	for fields := range entries(text, 3) {
		if gid, err := parseID(fields[2]); err == nil && fields[0] == group {
			return gid, nil
		}
	}
	gid, err := parseID(group)
	if err != nil {
		return 0, fmt.Errorf("no group %q in the container's /etc/group (a number would need no entry)", group)
	}
	return gid, nil
}

// memberships are the groups that list a user as a member.
func memberships(text []byte, user string) []uint32 {
	var gids []uint32
	for fields := range entries(text, 4) {
		gid, err := parseID(fields[2])
		if err == nil && slices.Contains(strings.Split(fields[3], ","), user) {
			gids = append(gids, gid)
		}
	}
	return gids
}

// entries yields the lines of a file in the manner of passwd(5) that have at
// least so many fields.
func entries(text []byte, least int) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for line := range bytes.Lines(text) {
			s := strings.TrimSpace(string(line))
			if s == "" || s[0] == '#' {
				continue
			}
			if fields := strings.Split(s, ":"); len(fields) >= least && !yield(fields) {
				return
			}
		}
	}
}
