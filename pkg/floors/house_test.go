package floors

// house is the plan of the house (DESIGN, where engine and shim share a floor;
// here engine, which starts shims, has one of its own): a package imports only from floors below its
// own, so nobody on a floor knows of his neighbours. What is beneath a package
// (pkg/network/nft) belongs to it and stands on its floor; a package and those
// beneath it may import each other.
//
// A package that is not in the table has no place in the house: give it one.
// The table may be ahead of the code.
const house = `
0  pkg/book          chapters and topics: data only
   pkg/kernel        system calls as data: the only door to Linux
   rootfs            the built-in base image, embedded
   pkg/leak          what the machine looks like before and after a test; imported by tests only
   pkg/members       JSON read member by member

1  pkg/step          Step, Plan, Runner, Journal, Event

2  pkg/namespace     one kernel feature a package
   pkg/cgroup
   pkg/overlay
   pkg/rootfs
   pkg/device
   pkg/capability
   pkg/seccomp
   pkg/lsm
   pkg/systemd
   pkg/process
   pkg/terminal
   pkg/network
   pkg/image         libraries without steps
   pkg/volume
   pkg/secret
   pkg/logging
   pkg/record
   pkg/reaper        the first process of run --init: instructions, not Go

3  pkg/runtime       config.json to plan: the only place where features meet

4  pkg/shim          supervision of one container
   pkg/oci           the life cycle of the OCI runtime specification

5  pkg/engine        containers as docker's users know them, over shims

6  pkg/explain       events as text, JSON, prompt, picture
   pkg/doctor        what this machine offers to containers
   pkg/learn         lessons, labs, quiz
   pkg/build
   pkg/api
   pkg/compose

7  cmd               flags and wiring
   scripts           tools of the repository
   pkg/floors        this test
`

// debts are imports that break the table and are known: importer, imported,
// why it is so. A debt that has been paid must be struck out.
const debts = `
`

// light are the programs that are started for every container, or every
// command. Their size and their time to start are paid each time.
var light = map[string]string{
	"cmd/minictr-shim": heavy + remote,
	"cmd/minictr-oci":  heavy + remote,
	"cmd/minictr":      remote,
}

// remote is what it takes to fetch images, which minictr-registry does.
// A name stands for all packages beneath it, too.
const remote = `
net/http                               servers, TLS and their tables
crypto/tls
crypto/x509
github.com/google/go-containerregistry
github.com/docker/cli
github.com/klauspost/compress          tables that are computed at each start
github.com/opencontainers/go-digest    compiles a regexp at each start
github.com/opencontainers/image-spec   brings that
minictr/pkg/image/registry
`

// heavy is what the light programs must not contain either, not even through
// somebody else.
const heavy = `
text/template                          reflection that keeps the linker from dropping any method
html/template
encoding/xml
encoding/gob
go/ast
testing
archive/tar                            images are the engine's business
github.com/moby/profiles               what the profiles say is in config.json by then
github.com/spf13/cobra                 their few flags are read by hand
github.com/rogpeppe/go-internal
minictr/pkg/image
minictr/pkg/engine
minictr/pkg/learn
minictr/rootfs
`
