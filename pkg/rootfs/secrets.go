package rootfs

import (
	"fmt"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
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
	calls := append(secretsTmpfs(len(secrets)), kernel.MakeInRoot(SecretsDir, false, 0, targetSlot)...)
	calls = append(calls,
		kernel.MoveMount(kernel.FD(secretsFS), "", kernel.FD(targetSlot), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH).
			As("mount -t tmpfs tmpfs "+SecretsDir),
		kernel.Close(kernel.FD(targetSlot)))
	made := make(map[string]bool)
	for i, s := range secrets {
		name, elsewhere := s.name(i)
		calls = append(calls, s.copy(i, name, made)...)
		if elsewhere {
			calls = append(calls, s.bind(name)...)
		}
	}
	return sealSecrets(calls, SecretsDir)
}

// secretsTmpfs makes the file system, with room for n secrets.
func secretsTmpfs(n int) []kernel.Call {
	m := Mount{options: options{
		set:  unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC,
		data: []string{"mode=0755", fmt.Sprintf("size=%d", (n+1)*(maxSecret+4096))},
	}}
	m.Type, m.Source, m.Destination = "tmpfs", "tmpfs", SecretsDir
	return m.makeFS(secretsFS)
}

// sealSecrets makes the file system read-only after all these calls.
func sealSecrets(calls []kernel.Call, where string) step.Step {
	return step.Step{
		Name: "rootfs.secrets", Topic: book.Secrets, Side: step.Inside,
		Calls: append(calls,
			kernel.MountSetattr(kernel.FD(secretsFS), "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY, 0, 0).As("mount -o remount,bind,ro "+where),
			kernel.Close(kernel.FD(secretsFS))),
		Why:  "secrets are in memory only: no layer, no image and no file of the container's bundle ever has them",
		Rule: "a tmpfs vanishes with its last mount, and with it what is in it",
	}
}

// SecretsAt puts the secrets on a tmpfs at dir, in a mount namespace that
// another runtime is born into: bind mounts (SecretBinds) take them to their
// places.
func SecretsAt(secrets []Secret, dir string) step.Step {
	calls := append(secretsTmpfs(len(secrets)),
		kernel.Mkdir(dir, 0o700).Allowing(unix.EEXIST),
		kernel.MoveMount(kernel.FD(secretsFS), "", kernel.AtFDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH).As("mount -t tmpfs tmpfs "+dir),
		kernel.Mkdirat(kernel.FD(secretsFS), inPlace, 0o755))
	made := map[string]bool{inPlace: true}
	for i, s := range secrets {
		calls = append(calls, s.copy(i, s.lent(i), made)...)
	}
	return sealSecrets(calls, dir)
}

// inPlace is the directory on SecretsAt's tmpfs that becomes SecretsDir.
const inPlace = "in"

// lent is the secret's name on SecretsAt's tmpfs.
func (s Secret) lent(i int) string {
	if name, elsewhere := s.name(i); !elsewhere {
		return inPlace + "/" + name
	}
	return fmt.Sprintf("out/%d", i)
}

// SecretBinds are the mounts that take secrets from SecretsAt's directory to
// where the container looks for them.
func SecretBinds(secrets []Secret, dir string) []specs.Mount {
	options := []string{"bind", "ro", "nosuid", "nodev", "noexec"}
	binds := []specs.Mount{{Destination: SecretsDir, Type: "bind", Source: path.Join(dir, inPlace), Options: options}}
	for i, s := range secrets {
		if _, elsewhere := s.name(i); elsewhere {
			binds = append(binds, specs.Mount{Destination: path.Clean(s.Target), Type: "bind", Source: path.Join(dir, s.lent(i)), Options: options})
		}
	}
	return binds
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

// copy makes the file, and the directories that it lies in if they are not made
// yet.
func (s Secret) copy(i int, name string, made map[string]bool) (calls []kernel.Call) {
	for _, dir := range parents(name) {
		if !made[dir] {
			made[dir] = true
			calls = append(calls, kernel.Mkdirat(kernel.FD(secretsFS), dir, 0o755))
		}
	}
	const file kernel.Slot = "secret-copy"
	return append(calls,
		kernel.Openat(kernel.FD(secretsFS), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600).Into(file),
		kernel.Sendfile(kernel.FD(file), kernel.FD(secretSlot(i)), maxSecret),
		kernel.Close(kernel.FD(file)),
		kernel.Close(kernel.FD(secretSlot(i))),
		kernel.Fchownat(kernel.FD(secretsFS), name, int(s.UID), int(s.GID), unix.AT_SYMLINK_NOFOLLOW),
		kernel.Fchmodat(kernel.FD(secretsFS), name, s.Mode), // after the owner, whose change takes set-uid bits away
	)
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
