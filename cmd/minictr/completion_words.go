package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"minictr/pkg/engine"
	"minictr/pkg/engine/config"
)

// What the shell offers behind flags, and for arguments that are no containers.
// Only a command line of the shell's own (cobra's hidden __complete) needs it,
// so only then it is hung into the tree.

// offer says what may stand where the user has typed the beginning of a word.
type offer func(typed string) []cobra.Completion

// completing tells whether a command line is the shell's question.
func completing(args []string) bool { return len(args) > 0 && strings.HasPrefix(args[0], "__complete") }

// offerWords hangs in what is to be offered, in the whole tree.
func (a *app) offerWords(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		a.offerWords(c)
	}
	path := strings.TrimPrefix(cmd.CommandPath(), "minictr ")
	if f, ok := a.argumentOffers()[path]; ok {
		cmd.ValidArgsFunction = f
	}
	offers := a.flagOffers()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		o, ok := offers[f.Name]
		if f.Name == "filter" {
			o, ok = a.filterOffer(path), true
		}
		if ok {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, complete(o))
		}
	})
}

// complete is an offer as cobra wants it. A word that ends with a sign such as
// = or : is to be gone on with, so no space is put behind it.
func complete(o offer) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		words := slices.DeleteFunc(slices.Clone(o(typed)), func(w string) bool { return !strings.HasPrefix(w, typed) })
		directive := cobra.ShellCompDirectiveNoFileComp
		if slices.ContainsFunc(words, func(w string) bool { return strings.HasSuffix(w, "=") || strings.HasSuffix(w, ":") }) {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return words, directive
	}
}

// words offers always the same.
func words(list ...string) offer { return func(string) []cobra.Completion { return list } }

// argumentOffers are for arguments, by command.
func (a *app) argumentOffers() map[string]cobra.CompletionFunc {
	volumes, secrets := complete(a.volumeNames), complete(a.secretNames)
	all := complete(func(string) []cobra.Completion {
		return slices.Concat(a.containerNames(""), a.imageNames(""), a.volumeNames(""))
	})
	paused := complete(func(string) []cobra.Completion {
		return a.completeContainers(func(c *engine.Container) bool { return c.State.Status == "paused" })
	})
	cp := func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return suffixed(a.containerNames(""), ":"), cobra.ShellCompDirectiveNoSpace // or a file of the host
	}
	return map[string]cobra.CompletionFunc{
		"volume rm": volumes, "volume inspect": volumes, "secret rm": secrets, "secret inspect": secrets, "inspect": all,
		"container inspect": a.completeAny, "image inspect": a.completeImages, "images": completeFirst(a.completeImages),
		"image ls": completeFirst(a.completeImages), "pull": completeFirst(a.completeImages), "image pull": completeFirst(a.completeImages),
		"unpause": paused, "container unpause": paused, "cp": cp, "container cp": cp,
	}
}

// flagOffers are for flags' values, by flag: one name means the same everywhere.
func (a *app) flagOffers() map[string]offer {
	joinable := func(fixed ...string) offer {
		return func(string) []cobra.Completion {
			return append(slices.Clone(fixed), prefixed("container:", a.containerNames(""))...)
		}
	}
	platforms, signals := words("linux/amd64", "linux/arm64", "linux/arm/v7"), words(signalNames()...)
	return map[string]offer{
		"network": joinable("bridge", "host", "none"), "net": joinable("bridge", "host", "none"),
		"ipc": joinable("host", "private", "shareable", "none"), "pid": joinable("host", "private"),
		"uts": words("host", "private"), "userns": words("host", "auto"), "cgroupns": words("host", "private"),
		"volumes-from": a.containerNames, "secret": a.secretNames, "platform": platforms,
		"volume":     func(string) []cobra.Completion { return suffixed(a.volumeNames(""), ":") },
		"log-driver": words(config.LogDrivers()...), "pull": words("always", "missing", "never"),
		"restart": words("always", "no", "on-failure", "unless-stopped"),
		"signal":  signals, "stop-signal": signals, "runtime": words(append([]string{engine.OwnRuntime}, engine.OtherRuntimes...)...),
		"security-opt": words("apparmor=", "no-new-privileges", "seccomp=", "systempaths=unconfined"),
		"type":         words("container", "image", "volume"), "attach": words("stderr", "stdin", "stdout"),
	}
}

// filterKeys are the keys of --filter, by command.
var filterKeys = map[string][]string{
	"ps":     {"ancestor=", "before=", "exited=", "expose=", "health=", "id=", "label=", "name=", "network=", "publish=", "since=", "status=", "volume="},
	"images": {"before=", "dangling=", "label=", "reference=", "since=", "until="}, "events": {"container=", "event=", "image=", "label=", "network=", "type=", "volume="},
	"volume ls": {"dangling=", "driver=", "label=", "name="}, "secret ls": {"id=", "label=", "name="},
	"prune": {"label=", "label!=", "until="},
}

// filterOffer offers keys, and behind a key its values.
func (a *app) filterOffer(path string) offer {
	switch last := path[strings.LastIndexByte(path, ' ')+1:]; {
	case path == "container ls":
		path = "ps"
	case path == "image ls":
		path = "images"
	case last == "events" || last == "prune":
		path = last
	}
	containers := a.containerNames
	values := map[string]offer{
		"ancestor": a.imageNames, "before": containers, "since": containers, "container": containers, "image": a.imageNames,
		"volume": a.volumeNames, "dangling": words("true", "false"), "driver": words("local"),
		"health": words("healthy", "none", "starting", "unhealthy"), "network": words("bridge", "host", "none"),
		"status": words("created", "dead", "exited", "paused", "removing", "restarting", "running"),
		"type":   words("container", "image", "network", "volume"),
		"event":  words("attach", "create", "destroy", "die", "exec_create", "exec_die", "exec_start", "health_status", "kill", "oom", "pause", "rename", "restart", "start", "stop", "unpause", "update"),
	}
	if path == "images" {
		values["before"], values["since"] = a.imageNames, a.imageNames
	}
	return func(typed string) []cobra.Completion {
		key, typed, behind := strings.Cut(typed, "=")
		if o, ok := values[key]; ok && behind {
			return prefixed(key+"=", o(typed))
		}
		return filterKeys[path]
	}
}

func (a *app) containerNames(string) []cobra.Completion {
	return a.completeContainers(func(*engine.Container) bool { return true })
}

func (a *app) imageNames(string) []cobra.Completion {
	names, _ := a.completeImages(nil, nil, "")
	return names
}

func (a *app) volumeNames(string) (names []cobra.Completion) {
	if e, err := engine.Open(); err == nil {
		list, _ := e.Volumes.List()
		for _, v := range list {
			names = append(names, v.Name)
		}
	}
	return names
}

func (a *app) secretNames(string) (names []cobra.Completion) {
	if e, err := engine.Open(); err == nil {
		list, _ := e.Secrets().List()
		for _, v := range list {
			names = append(names, v.Name)
		}
	}
	return names
}

// prefixed and suffixed change the words, and not what describes them.
func prefixed(prefix string, list []cobra.Completion) (changed []cobra.Completion) {
	for _, w := range list {
		changed = append(changed, prefix+w)
	}
	return changed
}

func suffixed(list []cobra.Completion, suffix string) (changed []cobra.Completion) {
	for _, w := range list {
		word, description, described := strings.Cut(w, "\t")
		if word += suffix; described {
			word += "\t" + description
		}
		changed = append(changed, word)
	}
	return changed
}

// signalNames are the signals that people send, as kill -l has them.
func signalNames() []string {
	var names []string
	for sig := unix.Signal(1); sig < 32; sig++ {
		names = append(names, strings.TrimPrefix(cmp.Or(unix.SignalName(sig), sig.String()), "SIG"))
	}
	return names
}
