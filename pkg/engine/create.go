package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/engine/bundle"
	"minictr/pkg/engine/config"
	"minictr/pkg/image"
	"minictr/pkg/record"
)

// Names inside a container's directory.
const (
	upperDir  = "upper"  // what the container writes
	workDir   = "work"   // overlayfs's own
	rootDir   = "rootfs" // where the container's own mount namespace has its root
	emptyDir  = "empty"  // the lowest layer of an image that has none
	hostsFile = "hosts"
	nameFile  = "hostname"
	dnsFile   = "resolv.conf"
)

// Create makes a container and starts nothing. On failure nothing of it is
// left, also if this process is killed on the way.
func (e *Engine) Create(ctx context.Context, c config.Config, o ImageOptions) (*Container, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := logDefaults(&c.Log); err != nil {
		return nil, err
	}
	var err error
	if c.Runtime, err = findRuntime(c.Runtime); err != nil {
		return nil, err
	}
	warnings, err := able(&c)
	if err != nil {
		return nil, err
	}
	img, release, err := e.hold(ctx, c.Image, o)
	if err != nil {
		return nil, err
	}
	defer release()
	r := Record{
		ID: newID(), Created: time.Now().UTC(), Config: c,
		Image:  Image{ID: img.ID.String(), Name: imageName(c.Image, img), Config: img.Config.Config},
		Layers: img.LowerDirs(), Health: health(&c, img),
	}
	if _, err := (&Container{Record: r}).logTag(c.Log.Options["tag"]); err != nil {
		return nil, err
	}
	if r.Args, err = bundle.Arguments(&c, img.Config.Config); err != nil {
		return nil, err
	}
	if r.Mounts, err = e.mounts(&c, img.Config.Config); err != nil {
		return nil, err
	}
	let, err := e.holdSecrets(&c)
	if err != nil {
		return nil, err
	}
	defer let()
	made, err := e.register(&r)
	if err == nil {
		made.Warnings = warnings
	}
	return made, err
}

// imageName is the name as the user gave it, unless another image stands in.
func imageName(ref string, img *image.Image) string {
	if n := img.Name(); !n.IsZero() && n.Familiar() == builtInName {
		return builtInName
	}
	return ref
}

// register claims a name, fills the container's directory and makes the record
// valid.
func (e *Engine) register(r *Record) (*Container, error) {
	reservation, name, err := e.reserve(r)
	if err != nil {
		return nil, err
	}
	err = makeRoot(reservation.Dir(), r)
	if size, own := r.Config.Namespaces.UserIDs(); own && err == nil {
		r.IDs, err = claimIDs(reservation.Dir(), size)
	}
	var volumes *heldVolumes
	if err == nil {
		volumes, err = e.holdVolumes(r)
	}
	if err == nil {
		defer volumes.release()
		var raw []byte
		if raw, err = json.Marshal(r); err == nil {
			err = reservation.Commit(raw)
		}
	}
	if err != nil {
		return nil, errors.Join(err, reservation.Abandon(), volumes.discard())
	}
	c := &Container{Record: *r, Name: name, State: record.State{Status: record.Created}, made: volumes.made}
	e.tell(c, "create", nil)
	return c, nil
}

// Forget takes back a Create whose container never ran: the container, and the
// volumes that were made for it. What others use by now stays.
func (e *Engine) Forget(ctx context.Context, c *Container) error {
	err := e.Remove(ctx, c, RemoveOptions{Force: true})
	return errors.Join(err, (&heldVolumes{engine: e, made: c.made}).discard())
}

// reserve takes the wanted name, or one that is free.
func (e *Engine) reserve(r *Record) (*record.Reservation, string, error) {
	if r.Config.Name != "" {
		reservation, err := record.Reserve(e.Dirs, r.ID, r.Config.Name)
		return reservation, r.Config.Name, err
	}
	for try := 0; ; try++ {
		name := randomName(try)
		reservation, err := record.Reserve(e.Dirs, r.ID, name)
		var taken *record.NameError
		if !errors.As(err, &taken) || try == 100 {
			return reservation, name, err
		}
	}
}

// makeRoot makes the directories of the container's root. Seen from inside,
// the root directory is the upper one: it must have the mode and owner that the
// image gives to its own.
func makeRoot(dir string, r *Record) error {
	if len(r.Layers) == 0 {
		r.Layers = []string{filepath.Join(dir, emptyDir)}
		if err := os.Mkdir(r.Layers[0], 0o755); err != nil {
			return fmt.Errorf("make the container's root: %w", err)
		}
	}
	var top unix.Stat_t
	if err := unix.Stat(r.Layers[0], &top); err != nil {
		return fmt.Errorf("layer %s is missing: %w", r.Layers[0], err)
	}
	for _, name := range []string{upperDir, workDir, rootDir} {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make the container's root: %w", err)
		}
	}
	upper := filepath.Join(dir, upperDir)
	err := os.Lchown(upper, int(top.Uid), int(top.Gid))
	if err == nil {
		err = unix.Chmod(upper, top.Mode&0o7777)
	}
	if err != nil {
		return fmt.Errorf("make the container's root: %w", err)
	}
	return nil
}
