# minictr: `make` builds ./bin, `make run` shows a container being made, `make test` runs everything a machine can run.
# The two that a new user needs: make run, make test.

GO      ?= go
GOARCH  ?= $(shell $(GO) env GOARCH)
PREFIX  ?= /usr/local
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# Static binaries always: minictr-shim and a container's first instructions run where no libc is.
export CGO_ENABLED := 0
export GOARCH

# The tools of `make check`, pinned, and run without touching go.mod.
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

BASE := rootfs/built/$(GOARCH)/base.tar.gz
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.PHONY: help build run test check vm test-vm bench soak conformance engines holes docs deps install uninstall clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: $(BASE) ## static binaries of all of cmd/* into ./bin
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ ./cmd/...
	@# A file that the linker has written lies in memory in small pieces, and is slower to start than its copy.
	@for p in bin/*; do cp "$$p" "$$p.copy" && mv "$$p.copy" "$$p"; done

# The built-in base image: busybox and a skeleton, embedded into minictr. Made again when its recipe changes.
# The recipe runs here, so it is compiled for this machine, whatever GOARCH the image is for.
$(BASE): $(filter-out %_test.go,$(wildcard rootfs/mkbase/*.go)) scripts/debget
	env -u GOARCH $(GO) run ./rootfs/mkbase -arch $(GOARCH) -out $(@D)

run: build ## build, then make a container and explain each kernel call (needs root: uses sudo; ARGS="..." for your own)
	@[ -z "$(SUDO)" ] || echo "make run: namespaces, mounts and networks need root: running minictr with sudo"
	$(SUDO) bin/minictr $(ARGS)

run: ARGS ?= run --explain --rm alpine sh -c 'echo "hello from $$(hostname), process $$$$, on Linux $$(uname -r)"'

test: build ## unit tests, root tests on this kernel, and the VM suite on cgroup v2 (root, or sudo; installs what is missing)
	scripts/test

check: ## gofumpt, go vet for both architectures, staticcheck, floors: seconds
	@big=$$(git ls-files -z 2>/dev/null | xargs -0 -r ls -ln | awk '$$5 > 1000000 {print $$NF}'); \
		if [ -n "$$big" ]; then echo "no source, by its size:" $$big; exit 1; fi
	@unformatted=$$(env -u GOARCH $(GO) run $(GOFUMPT) -l .); \
		if [ -n "$$unformatted" ]; then echo "not gofumpt-formatted:" $$unformatted; exit 1; fi
	GOARCH=amd64 $(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./...
	env -u GOARCH $(GO) run $(STATICCHECK) ./...
	@if [ -d pkg/floors ]; then $(GO) test ./pkg/floors/...; fi

vm: build ## a root shell in a VM with Debian's kernel and pure cgroup v2, with ./bin in its PATH
	scripts/vm shell

test-vm: build ## the tests that need the VM, alone
	scripts/test vm

bench: build ## compare start-up times with the engines that are installed; WRITE=1: into docs/speed.md (needs root)
	$(SUDO) scripts/bench $(if $(WRITE),-markdown bin/.speed) $(ARGS)
	[ -z "$(WRITE)" ] || $(GO) run ./scripts/docs docs/speed.md speed <bin/.speed
	@rm -f bin/.speed

soak: build ## mistreat minictr for minutes: crowds, kills, full disks, torn files; prints a table (needs root)
	$(SUDO) $(shell command -v $(GO)) run ./scripts/soak -bin bin

conformance: build ## the OCI's validation suite against bin/minictr-oci, as a table; WRITE=1: into docs/runtimes.md (needs root)
	cd scripts/conformance && $(SUDO) $(shell command -v $(GO)) run . -runtime ../../bin/minictr-oci $(if $(WRITE),-markdown ../../bin/.table)
	[ -z "$(WRITE)" ] || $(GO) run ./scripts/docs docs/runtimes.md conformance <bin/.table
	@rm -f bin/.table

engines: build ## containerd, podman and docker use bin/minictr-oci, as a table; WRITE=1: into docs/runtimes.md (needs root)
	GOOS= GOARCH= $(GO) build -o bin/.engines ./scripts/engines
	$(SUDO) scripts/bench room $(CURDIR)/bin/.engines >bin/.table; status=$$?; cat bin/.table; \
		[ -z "$(WRITE)" ] || $(GO) run ./scripts/docs docs/runtimes.md engines <bin/.table; \
		rm -f bin/.engines bin/.table; exit $$status

holes: ## open known holes, one at a time, to see that the tests find them; WRITE=1: the table into docs/security.md (needs root)
	$(SUDO) $(shell command -v $(GO)) run ./scripts/holes >bin/.table; status=$$?; cat bin/.table; \
		[ -z "$(WRITE)" ] || $(GO) run ./scripts/docs docs/security.md holes <bin/.table; \
		rm -f bin/.table; exit $$status

docs: ## regenerate generated text (CLI reference, step tables, chapter map)
	$(GO) generate ./...

deps: ## install what building and testing need through apt (list: scripts/deps)
	scripts/deps install

install: build ## copy the binaries to $(PREFIX)/bin (PREFIX=/usr/local, DESTDIR=)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(addprefix bin/,$(notdir $(wildcard cmd/*))) $(DESTDIR)$(PREFIX)/bin/

uninstall: ## remove what install copied
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,$(notdir $(wildcard cmd/*)))

clean: ## remove what the build made
	rm -rf bin rootfs/built/*/base.tar.gz rootfs/built/*/provenance
