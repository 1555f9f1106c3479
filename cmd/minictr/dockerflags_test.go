package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// dockerFlags are all flags of `docker run`: what the engine's documentation
// lists, hidden and deprecated ones included. Those that take no value end
// with "!", those with a letter have it behind a comma.
const dockerFlags = `
	add-host annotation attach,a blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile
	cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares,c cpus cpuset-cpus cpuset-mems
	detach,d! detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops
	disable-content-trust! dns dns-opt dns-option dns-search domainname entrypoint env,e env-file expose gpus group-add
	health-cmd health-interval health-retries health-start-interval health-start-period health-timeout help! hostname,h
	init! interactive,i! io-maxbandwidth io-maxiops ip ip6 ipc isolation kernel-memory label,l label-file link
	link-local-ip log-driver log-opt mac-address memory,m memory-reservation memory-swap memory-swappiness mount name
	net net-alias network network-alias no-healthcheck! oom-kill-disable! oom-score-adj pid pids-limit platform
	privileged! publish,p publish-all,P! pull quiet,q! read-only! restart rm! runtime security-opt shm-size sig-proxy!
	stop-signal stop-timeout storage-opt sysctl tmpfs tty,t! ulimit use-api-socket! user,u userns uts volume,v
	volume-driver volumes-from workdir,w`

// runOnly are those that create does not have.
const runOnly = " detach detach-keys sig-proxy "

func TestEveryFlagOfDockersIsKnown(t *testing.T) {
	a := &app{out: io.Discard, err: io.Discard}
	for _, name := range []string{"run", "create"} {
		a.args = []string{name}
		cmd, _, err := newRoot(a).Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		for spec := range strings.FieldsSeq(dockerFlags) {
			spec, isBool := strings.CutSuffix(spec, "!")
			flag, short, _ := strings.Cut(spec, ",")
			if name == "create" && strings.Contains(runOnly, " "+flag+" ") {
				continue
			}
			f := cmd.Flags().Lookup(flag)
			switch {
			case f == nil:
				t.Errorf("%s --%s: not even refused", name, flag)
			case f.Shorthand != short:
				t.Errorf("%s --%s: is -%s, docker's is -%s", name, flag, f.Shorthand, short)
			case isBool != (f.NoOptDefVal != ""):
				t.Errorf("%s --%s: takes a value: %v; docker's: %v", name, flag, f.NoOptDefVal == "", !isBool)
			}
		}
	}
}

// A flag without effect would be worse than none: every one that is refused
// says so by its name.
func TestRefusedFlagsSayTheirName(t *testing.T) {
	a := &app{out: io.Discard, err: io.Discard, args: []string{"run"}}
	cmd, _, err := newRoot(a).Find([]string{"run"})
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if _, ok := f.Value.(unsupported); !ok {
			return
		}
		refused++
		err := flagError(cmd, cmd.Flags().Parse([]string{"--" + f.Name + "=true"}))
		if err == nil || !strings.Contains(err.Error(), "--"+f.Name) || !strings.Contains(err.Error(), "not supported") {
			t.Errorf("--%s: %v", f.Name, err)
		}
		if !errors.As(err, new(*usageError)) {
			t.Errorf("--%s is no usage error", f.Name)
		}
	})
	if refused < 10 {
		t.Errorf("only %d flags are refused: does this test look at the right ones?", refused)
	}
	for flag, want := range map[string]string{"isolation": "Windows", "volume-driver": "local volumes", "disable-content-trust": "signatures"} {
		if err := flagError(cmd, cmd.Flags().Parse([]string{"--" + flag + "=other"})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--%s: %v", flag, err)
		}
	}
}
