package rootfs

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// SecretsDir is where a container finds its secrets.
const SecretsDir = "/run/secrets"

// Secret is a file of the host whose content appears in the container, and in
// nothing that is kept of it.
type Secret struct {
	Source string `json:"source"`        // host path
	Target string `json:"target"`        // absolute, or below SecretsDir
	UID    uint32 `json:"uid,omitempty"` // inside
	GID    uint32 `json:"gid,omitempty"` // inside
	Mode   uint32 `json:"mode"`          // permissions
}

// maxSecret bounds what is copied, in bytes.
const maxSecret = 512 << 10

func secretSlot(i int) kernel.Slot { return kernel.Slot(fmt.Sprintf("secret-%d", i)) }

// OpenSecrets opens the host's files; the new process inherits the descriptors.
// The host does it, since root of a user namespace could not.
func OpenSecrets(secrets []Secret) step.Step {
	var calls []kernel.Call
	for i, s := range secrets {
		calls = append(calls, kernel.Openat(kernel.AtFDCWD, s.Source, unix.O_RDONLY|unix.O_CLOEXEC, 0).Into(secretSlot(i)))
	}
	return step.Step{
		Name: "rootfs.open-secrets", Topic: book.Secrets, Side: step.Host, Calls: calls,
		Why:  "the secrets' files are root's alone, in a directory that the container never sees: pass on descriptors of them",
		Rule: "a closed descriptor leaves nothing",
	}
}

// CloseSecrets closes the host's descriptors, when the process has its own.
func CloseSecrets(secrets []Secret) step.Step {
	var calls []kernel.Call
	for i := range secrets {
		calls = append(calls, kernel.Close(kernel.FD(secretSlot(i))))
	}
	return step.Step{
		Name: "rootfs.close-secrets", Topic: book.Secrets, Side: step.Host, Calls: calls,
		Why:  "the new process has its own descriptors of them",
		Rule: "a closed descriptor leaves nothing",
	}
}

const secretsFS kernel.Slot = "secrets"

// Secrets puts copies of the secrets on a tmpfs at SecretsDir. sendfile copies
// from descriptor to descriptor: the content is no argument of any call, so
// neither explain nor strace can print it. In the end the tmpfs is read-only.
func Secrets(secrets []Secret) step.Step {
	m := Mount{options: options{
		set:  unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC,
		data: []string{"mode=0755", fmt.Sprintf("size=%d", (len(secrets)+1)*(maxSecret+4096))},
	}}
	m.Type, m.Source, m.Destination = "tmpfs", "tmpfs", SecretsDir
	calls := append(m.makeFS(secretsFS), kernel.MakeInRoot(SecretsDir, false, 0, targetSlot)...)
	calls = append(calls,
		kernel.MoveMount(kernel.FD(secretsFS), "", kernel.FD(targetSlot), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH).
			As("mount -t tmpfs tmpfs "+SecretsDir),
		kernel.Close(kernel.FD(targetSlot)))
	made := make(map[string]bool)
	for i, s := range secrets {
		name, elsewhere := s.name(i)
		for _, dir := range parents(name) {
			if !made[dir] {
				made[dir] = true
				calls = append(calls, kernel.Mkdirat(kernel.FD(secretsFS), dir, 0o755))
			}
		}
		calls = append(calls, s.copy(i, name)...)
		if elsewhere {
			calls = append(calls, s.bind(name)...)
		}
	}
	calls = append(calls,
		kernel.MountSetattr(kernel.FD(secretsFS), "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY, 0, 0).As("mount -o remount,bind,ro "+SecretsDir),
		kernel.Close(kernel.FD(secretsFS)))
	return step.Step{
		Name: "rootfs.secrets", Topic: book.Secrets, Side: step.Inside, Calls: calls,
		Why:  "secrets are in memory only: no layer, no image and no file of the container's bundle ever has them",
		Rule: "a tmpfs vanishes with its last mount, and with it what is in it",
	}
}

// name is the secret's name on the tmpfs. One that belongs elsewhere is there
// under a name of its own until it is bound to its place.
func (s Secret) name(i int) (name string, elsewhere bool) {
	if !path.IsAbs(s.Target) {
		return path.Clean(s.Target), false
	}
	if below, ok := strings.CutPrefix(path.Clean(s.Target), SecretsDir+"/"); ok {
		return below, false
	}
	return fmt.Sprintf(".%d", i), true
}

// parents are the directories that name lies in, the outermost first.
func parents(name string) (dirs []string) {
	for i, c := range name {
		if c == '/' {
			dirs = append(dirs, name[:i])
		}
	}
	return dirs
}

func (s Secret) copy(i int, name string) []kernel.Call {
	const file kernel.Slot = "secret-copy"
	return []kernel.Call{
		kernel.Openat(kernel.FD(secretsFS), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600).Into(file),
		kernel.Sendfile(kernel.FD(file), kernel.FD(secretSlot(i)), maxSecret),
		kernel.Close(kernel.FD(file)),
		kernel.Close(kernel.FD(secretSlot(i))),
		kernel.Fchownat(kernel.FD(secretsFS), name, int(s.UID), int(s.GID), unix.AT_SYMLINK_NOFOLLOW),
		kernel.Fchmodat(kernel.FD(secretsFS), name, s.Mode), // after the owner, whose change takes set-uid bits away
	}
}

// bind shows the file at the place where it belongs, and nowhere else.
func (s Secret) bind(name string) []kernel.Call {
	const bound kernel.Slot = "bound"
	target := path.Clean(s.Target)
	calls := kernel.MakeInRoot(target, true, 0, targetSlot)
	return append(calls,
		kernel.OpenTree(kernel.FD(secretsFS), name, cloneTree).Into(bound),
		kernel.MountSetattr(kernel.FD(bound), "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY, 0, 0),
		kernel.MoveMount(kernel.FD(bound), "", kernel.FD(targetSlot), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH).
			As("mount --bind "+SecretsDir+"/"+name+" "+target),
		kernel.Close(kernel.FD(bound)), kernel.Close(kernel.FD(targetSlot)),
		kernel.Unlinkat(kernel.FD(secretsFS), name, 0),
	)
}
