package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/engine/bundle"
)

// Users of a container with a user namespace are users of the host that nobody
// is: a range of numbers for each container, which it keeps until it is
// removed. Two containers never share one, or a process that breaks out of one
// would own the processes of the other.
//
// The file "ids" in a container's directory claims its range. It goes with the
// directory, so nothing has to give it back.
const idsFile = "ids"

// defaultIDs are the numbers the ranges are cut from where /etc/subuid and
// /etc/subgid have no entry for minictr: above those that useradd gives to
// users (up to 600100000) and those that systemd takes for containers (up to
// 1879048191), and as far as a signed number reaches.
var defaultIDs = bundle.IDRange{UID: 1_900_000_000, GID: 1_900_000_000, Size: 1<<31 - 1_900_000_000}

const (
	subuid, subgid = "/etc/subuid", "/etc/subgid" // subuid(5)
	subordinate    = "minictr"                    // whose entries are ours
)

// claimIDs claims size users for the container in dir.
func claimIDs(dir string, size uint32) (*bundle.IDRange, error) {
	pool, taken, err := readPool()
	if err != nil {
		return nil, err
	}
	unlock, err := lockIDs(filepath.Dir(dir))
	if err != nil {
		return nil, err
	}
	defer unlock()
	claims, err := claimedIDs(filepath.Dir(dir))
	if err != nil {
		return nil, err
	}
	ids, ok := freeIDs(pool, append(taken, claims...), size)
	if !ok {
		return nil, fmt.Errorf("no %d user ids in a row are free for the container: remove other containers with --userns auto, or give %s more in %s and %s",
			size, subordinate, subuid, subgid)
	}
	text, err := json.Marshal(ids)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, idsFile), text, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("claim user ids for the container: %w", err)
	}
	return &ids, nil
}

// lockIDs keeps others from claiming meanwhile.
func lockIDs(containers string) (unlock func(), err error) {
	f, err := os.Open(containers)
	for err == nil {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); err != unix.EINTR {
			break
		}
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock the claims of user ids: %w", err)
	}
	return func() { _ = f.Close() }, nil
}

// claimedIDs are the ranges that containers have.
func claimedIDs(containers string) ([]bundle.IDRange, error) {
	entries, err := os.ReadDir(containers)
	if err != nil {
		return nil, fmt.Errorf("look for claimed user ids: %w", err)
	}
	var list []bundle.IDRange
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(containers, e.Name(), idsFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var ids bundle.IDRange
		if err == nil {
			err = json.Unmarshal(text, &ids)
		}
		if err != nil {
			return nil, fmt.Errorf("read the claimed user ids of container %s: %w", short(e.Name()), err)
		}
		list = append(list, ids)
	}
	return list, nil
}

// freeIDs is the first place in pool where size ids are free.
func freeIDs(pool bundle.IDRange, taken []bundle.IDRange, size uint32) (bundle.IDRange, bool) {
	for offset := uint64(0); offset+uint64(size) <= uint64(pool.Size); {
		ids := bundle.IDRange{UID: pool.UID + uint32(offset), GID: pool.GID + uint32(offset), Size: size}
		next := offset
		for _, t := range taken {
			if overlap(ids.UID, size, t.UID, t.Size) {
				next = max(next, end(t.UID, t.Size)-uint64(pool.UID))
			}
			if overlap(ids.GID, size, t.GID, t.Size) {
				next = max(next, end(t.GID, t.Size)-uint64(pool.GID))
			}
		}
		if next == offset {
			return ids, true
		}
		offset = next
	}
	return bundle.IDRange{}, false
}

func end(start, size uint32) uint64 { return uint64(start) + uint64(size) }

func overlap(a, sizeA, b, sizeB uint32) bool {
	return uint64(a) < end(b, sizeB) && uint64(b) < end(a, sizeA)
}

// readPool reads where ranges may be cut from, and what others have there.
func readPool() (pool bundle.IDRange, taken []bundle.IDRange, err error) {
	var texts [2][]byte
	for i, path := range []string{subuid, subgid} {
		texts[i], err = os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return pool, nil, fmt.Errorf("read who has which user ids: %w", err)
		}
	}
	return parsePool(texts[0], texts[1])
}

// parsePool reads the texts of /etc/subuid and /etc/subgid. Entries of others
// in one of them count as theirs in both.
func parsePool(uids, gids []byte) (pool bundle.IDRange, taken []bundle.IDRange, err error) {
	ourUIDs, others := subordinates(uids)
	ourGIDs, more := subordinates(gids)
	switch {
	case ourUIDs.Size == 0 && ourGIDs.Size == 0:
		return defaultIDs, append(others, more...), nil
	case ourUIDs.Size == 0 || ourGIDs.Size == 0:
		return pool, nil, fmt.Errorf("%s and %s must both have an entry for %s, or none", subuid, subgid, subordinate)
	}
	return bundle.IDRange{UID: ourUIDs.UID, GID: ourGIDs.UID, Size: min(ourUIDs.Size, ourGIDs.Size)}, nil, nil
}

// subordinates reads lines of NAME:START:COUNT: our first one, and the others'.
func subordinates(text []byte) (ours bundle.IDRange, others []bundle.IDRange) {
	for line := range bytes.Lines(text) {
		fields := strings.Split(strings.TrimSpace(string(line)), ":")
		if len(fields) != 3 {
			continue
		}
		start, err1 := strconv.ParseUint(fields[1], 10, 32)
		count, err2 := strconv.ParseUint(fields[2], 10, 32)
		if err1 != nil || err2 != nil || start+count > 1<<32-1 {
			continue
		}
		r := bundle.IDRange{UID: uint32(start), GID: uint32(start), Size: uint32(count)}
		switch {
		case fields[0] != subordinate:
			others = append(others, r)
		case ours.Size == 0:
			ours = r
		}
	}
	return ours, others
}
