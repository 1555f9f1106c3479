package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	goruntime "runtime"

	"golang.org/x/sys/unix"

	"minictr/pkg/engine/archive"
	"minictr/pkg/engine/config"
	"minictr/pkg/kernel"
	"minictr/pkg/overlay"
	"minictr/pkg/record"
	"minictr/pkg/step"
)

// openRoot opens a container's root directory, with its volumes in their
// places, for as long as use runs; ids are who its users are. Paths below it
// are for package archive: the container's programs may be at work there.
func (e *Engine) openRoot(ctx context.Context, c *Container, use func(root int, ids archive.IDs) error) error {
	if c.State.Status == record.Restarting {
		return fmt.Errorf("container %s is between two runs: wait until it runs again, or stop it", c.Name)
	}
	if c.Running() {
		fd, err := c.runningRoot()
		if err == nil {
			defer func() { _ = unix.Close(fd) }()
			return c.asRoot(func(ids archive.IDs) error { return use(fd, ids) })
		}
		var over *NotRunningError
		if !errors.As(err, &over) {
			return err
		}
		if err := e.settle(ctx, c); err != nil { // it has ended just now
			return err
		}
	}
	release, err := e.claim(ctx, c)
	if err != nil {
		return err
	}
	defer release()
	lock, err := e.alone(ctx, c)
	if err != nil {
		return err
	}
	return errors.Join(e.mountedRoot(c, use), lock.Release())
}

// runningRoot opens the root as the container's first process sees it, through
// /proc: that leads into its mount namespace, where volumes and tmpfs are.
func (c *Container) runningRoot() (int, error) {
	pidfd, err := c.pidfd()
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(pidfd) }()
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/root", c.State.Pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil || !record.Alive(c.State.Pid, c.State.PidStart) { // else it may be another process's
		if err == nil {
			_ = unix.Close(fd)
		}
		return -1, &NotRunningError{c.Name}
	}
	return fd, nil
}

// asRoot has files of a running container looked at and made as its root would,
// who is another user here if it has a user namespace.
func (c *Container) asRoot(do func(archive.IDs) error) error {
	if c.IDs == nil {
		return do(archive.IDs{})
	}
	ids := archive.IDs{UID: c.IDs.UID, GID: c.IDs.GID, Size: c.IDs.Size}
	done := make(chan error)
	go func() {
		goruntime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := ids.Become()
		if err == nil {
			err = do(ids)
		}
		done <- err
	}()
	return <-done
}

// mountedRoot is for containers that do not run: their layers are mounted as
// for a start, but in a mount namespace that only one thread of this process is
// in. When the thread ends the mounts are gone, also if we are killed.
func (e *Engine) mountedRoot(c *Container, use func(root int, ids archive.IDs) error) error {
	done := make(chan error)
	go func() {
		goruntime.LockOSThread() // never unlocked: the namespace goes with the thread
		host := kernel.NewHost()
		defer host.CloseAll()
		err := e.mountLayers(host, c)
		if err == nil {
			err = use(int(host.Slots[step.Root]), archive.IDs{})
		}
		done <- err
	}()
	return <-done
}

func (e *Engine) mountLayers(host *kernel.Host, c *Container) error {
	dir := e.Dirs.Container(c.ID)
	layers := overlay.Layers{Lower: c.Layers, Upper: filepath.Join(dir, upperDir), Work: filepath.Join(dir, workDir)}
	calls := []kernel.Call{
		kernel.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS),
		kernel.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
	}
	calls = append(calls, overlay.Mount(layers, filepath.Join(dir, rootDir)).Calls...)
	for _, call := range calls {
		if _, err := host.Do(call); err != nil {
			return fmt.Errorf("look into container %s: %w", c.Name, err)
		}
	}
	for _, m := range c.Mounts {
		if err := e.mountVolume(host, m); err != nil {
			return fmt.Errorf("look into container %s: %w", c.Name, err)
		}
	}
	if !c.Config.ReadOnly {
		return nil
	}
	_, err := host.Do(kernel.MountSetattr(kernel.FD(step.Root), "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY, 0, 0))
	return err
}

// mountVolume puts a volume, or a directory of the host, where the container
// has it. A tmpfs holds nothing while nothing runs.
func (e *Engine) mountVolume(host *kernel.Host, m config.Mount) error {
	switch m.Type {
	case config.Tmpfs:
		return nil
	case config.Volume:
		var err error
		if m, err = e.resolve(m); err != nil {
			return err
		}
		if fs := m.FileSystem; fs != nil && fs.Type != "tmpfs" {
			return fmt.Errorf("at %s is a volume of type %s, which only the running container mounts: start it first", m.Target, fs.Type)
		} else if fs != nil {
			return nil
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(m.Source, m.Subpath), &st); err != nil { // of what kind it is; which one, attach finds out
		return fmt.Errorf("%s, which belongs at %s: %w", m.Source, m.Target, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return e.mountFile(host, m)
	}
	fd, err := archive.MakeDir(int(host.Slots[step.Root]), m.Target)
	if err != nil {
		return fmt.Errorf("make %s: %w", m.Target, err)
	}
	defer func() { _ = unix.Close(fd) }()
	return attach(host, m, fd)
}

// mountFile is mountVolume for a single file of the host. Where the container
// has no file of that name yet, it is left out.
func (e *Engine) mountFile(host *kernel.Host, m config.Mount) error {
	fd, err := archive.InRoot(int(host.Slots[step.Root]), m.Target, unix.O_PATH)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find %s: %w", m.Target, err)
	}
	defer func() { _ = unix.Close(fd) }()
	return attach(host, m, fd)
}

func attach(host *kernel.Host, m config.Mount, target int) error {
	const source kernel.Slot = "volume"
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if m.Type == config.Bind && !m.NonRecursive {
		flags |= unix.AT_RECURSIVE
	}
	calls := []kernel.Call{kernel.OpenTree(kernel.AtFDCWD, m.Source, flags).Into(source)}
	if m.Subpath != "" { // no link in the volume leads out of it
		const all, part kernel.Slot = "volume-all", "volume-part"
		calls = []kernel.Call{
			kernel.Openat(kernel.AtFDCWD, m.Source, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into(all),
			kernel.Openat2(kernel.FD(all), m.Subpath, unix.O_PATH|unix.O_CLOEXEC, 0, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_MAGICLINKS).Into(part),
			kernel.OpenTree(kernel.FD(part), "", flags|unix.AT_EMPTY_PATH).Into(source),
			kernel.Close(kernel.FD(part)), kernel.Close(kernel.FD(all)),
		}
	}
	if m.ReadOnly {
		calls = append(calls, kernel.MountSetattr(kernel.FD(source), "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY, 0, 0))
	}
	calls = append(calls,
		kernel.MoveMount(kernel.FD(source), "", kernel.Int(target), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH),
		kernel.Close(kernel.FD(source)))
	for _, call := range calls {
		if _, err := host.Do(call); err != nil {
			return err
		}
	}
	return nil
}
