module minictr

go 1.26.0

require (
	github.com/distribution/reference v0.6.0 // tests: the oracle for image names
	github.com/docker/go-units v0.5.0 // sizes and ages as docker prints and reads them
	github.com/google/go-containerregistry v0.22.1 // registries: authentication, docker's credential files; a registry for tests
	github.com/klauspost/compress v1.20.3 // layers: gzip at twice the standard library's speed, and zstd
	github.com/moby/profiles/seccomp v0.2.3 // docker's default seccomp profile, kept up to date by its authors
	github.com/opencontainers/go-digest v1.0.0 // tests: what pkg/image/digest must agree with
	github.com/opencontainers/image-spec v1.1.1 // tests: what pkg/image/ocispec must agree with
	github.com/opencontainers/runtime-spec v1.3.0 // containers: the specification's types
	github.com/rogpeppe/go-internal v1.16.0 // tests: testscript runs the command line as a user does
	github.com/spf13/cobra v1.10.2 // the command line: commands, help, completion
	github.com/spf13/pflag v1.0.10 // cobra's flags, for values of our own
	github.com/vishvananda/netlink v1.3.1 // builds netlink messages (pkg/kernel sends them), and reads links and routes
	github.com/vishvananda/netns v0.0.5 // netlink in another network namespace, to look at it
	golang.org/x/sys v0.49.0 // system calls and their constants
)

require (
	github.com/davecgh/go-spew v1.1.2-0.20180830191138-d8f796af33cc // indirect
	github.com/docker/cli v29.7.2+incompatible // indirect
	github.com/docker/docker-credential-helpers v0.9.3 // indirect
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/pmezard/go-difflib v1.0.1-0.20181226105442-5d4384ee4fb2 // indirect
	github.com/sirupsen/logrus v1.9.4 // indirect
	github.com/stretchr/testify v1.11.1 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/tools v0.49.0 // indirect
	gotest.tools/v3 v3.5.0 // indirect
)
