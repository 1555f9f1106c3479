package overlay

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Layers are the directories of one overlay.
type Layers struct {
	Lower []string `json:"lower"`           // lowerdir, the topmost layer first
	Upper string   `json:"upper,omitempty"` // upperdir; empty: a read-only overlay
	Work  string   `json:"work,omitempty"`  // workdir, on upperdir's file system
}

// Mount joins the layers and attaches them at target, a directory of the host
// that only this mount namespace will see covered. The mount's root is open in
// slot Root afterwards.
func Mount(l Layers, target string) step.Step {
	calls := append(l.calls(target), kernel.Openat(kernel.AtFDCWD, target, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into(step.Root))
	return step.Step{
		Name: "overlay.mount", Topic: book.CopyOnWrite, Side: step.Inside,
		Why:   "the image's layers stay read-only and shared; everything the container writes goes to its own upper directory",
		Calls: calls,
		Rule:  "the mount exists in the container's mount namespace only and goes with it",
		Risk:  "the container would take an empty directory of the host's own file system as its root and write there",
	}
}

// calls are the way that fits the number of layers.
func (l Layers) calls(target string) []kernel.Call {
	if len(l.data()) >= pageSize {
		return l.mountByLayer(target)
	}
	return []kernel.Call{kernel.Mount("overlay", target, "overlay", 0, l.data()).
		As(fmt.Sprintf("mount -t overlay -o %s overlay %s", l.data(), target))}
}

// pageSize is how much option text mount(2) takes: more is cut off silently.
const pageSize = 4096

// mountByLayer is the way for images of more layers than fit in a page: the
// new mount API takes them one by one (lowerdir+, Linux 6.5).
func (l Layers) mountByLayer(target string) []kernel.Call {
	const fs, mount kernel.Slot = "overlay", "overlay-mount"
	set := func(key, value string) kernel.Call { return kernel.FsconfigString(kernel.FD(fs), key, value) }
	calls := []kernel.Call{kernel.Fsopen("overlay").Into(fs)}
	for _, dir := range l.Lower {
		calls = append(calls, set("lowerdir+", dir))
	}
	if l.Upper != "" {
		calls = append(calls, set("upperdir", l.Upper), set("workdir", l.Work))
	}
	return append(calls,
		kernel.FsconfigCreate(kernel.FD(fs)),
		kernel.Fsmount(kernel.FD(fs), 0).Into(mount),
		kernel.MoveMount(kernel.FD(mount), "", kernel.AtFDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH).
			As(fmt.Sprintf("mount -t overlay -o %s overlay %s", l.data(), target)))
}

// data is the option text of mount(2).
func (l Layers) data() string {
	lower := make([]string, len(l.Lower))
	for i, dir := range l.Lower {
		lower[i] = escape(dir)
	}
	data := "lowerdir=" + strings.Join(lower, ":")
	if l.Upper != "" {
		data += ",upperdir=" + escape(l.Upper) + ",workdir=" + escape(l.Work)
	}
	return data
}

// escape protects the characters that separate layers and options.
func escape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `:`, `\:`, `,`, `\,`).Replace(dir)
}
