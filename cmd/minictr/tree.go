package main

import "github.com/spf13/cobra"

// newRoot makes the tree of commands, as far as the command line leads into it: making all
// of them, with their hundreds of flags, takes longer than most of them run.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "minictr",
		Short:         "A container engine you can take apart",
		Long:          rootHelp,
		Example:       rootExample,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetArgs(a.args)
	root.SetVersionTemplate("minictr version {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	wanted := wants(a.args, topLevel)
	for _, e := range topLevel {
		if !root.ContainsGroup(e.group) && e.group != "" {
			root.AddGroup(&cobra.Group{ID: e.group, Title: e.group + ":"})
		}
		if wanted(e.name) {
			c := e.make(a)
			c.GroupID = e.group
			c.DisableFlagsInUseLine = true // it says [OPTIONS] where it has some
			root.AddCommand(c)
		}
	}
	if completing(a.args) {
		a.offerWords(root)
	}
	root.CompletionOptions.DisableDefaultCmd = len(root.Commands()) == 1
	return root
}

// entry is a command that is made when it is needed.
type entry struct {
	name  string
	group string // its paragraph in the help text
	make  func(*app) *cobra.Command
}

// The paragraphs of the help text.
const (
	containers = "Containers"
	images     = "Images"
	look       = "How it works"
	manage     = "The same, sorted by what they are about"
)

// topLevel are all commands, in the order in which the help text has them.
var topLevel = []entry{
	{"run", containers, newRun},
	{"create", containers, newCreate},
	{"start", containers, newStart},
	{"stop", containers, newStop},
	{"restart", containers, newRestart},
	{"kill", containers, newKill},
	{"pause", containers, newPause},
	{"unpause", containers, newUnpause},
	{"wait", containers, newWait},
	{"rm", containers, newRm},
	{"ps", containers, newPs},
	{"exec", containers, newExec},
	{"attach", containers, newAttach},
	{"logs", containers, newLogs},
	{"inspect", containers, newInspect},
	{"top", containers, newTop},
	{"stats", containers, newStats},
	{"events", containers, newEvents},
	{"port", containers, newPort},
	{"rename", containers, newRename},
	{"cp", containers, newCp},
	{"diff", containers, newDiff},
	{"commit", containers, newCommit},
	{"export", containers, newExport},
	{"update", containers, newUpdate},

	{"pull", images, newPull},
	{"images", images, newImages},
	{"rmi", images, newRmi},
	{"tag", images, newTag},
	{"import", images, newImport},
	{"load", images, newLoad},
	{"save", images, newSave},
	{"history", images, newHistory},

	{"plan", look, newPlan},
	{"step", look, newStep},
	{"spec", look, newSpec},
	{"doctor", look, newDoctor},

	{"container", manage, func(a *app) *cobra.Command {
		return group(a, "container", "Commands about containers", containerCommands)
	}},
	{"image", manage, func(a *app) *cobra.Command { return group(a, "image", "Commands about images", imageCommands) }},
	{"volume", manage, func(a *app) *cobra.Command { return group(a, "volume", "Commands about volumes", volumeCommands) }},
	{"secret", manage, func(a *app) *cobra.Command { return group(a, "secret", "Commands about secrets", secretCommands) }},
	{"system", manage, func(a *app) *cobra.Command { return group(a, "system", "Commands about this machine", systemCommands) }},

	{"version", "", newVersion},
	{"info", "", newInfo},
}

// Docker's long forms.
var (
	containerCommands = []entry{
		{name: "run", make: newRun},
		{name: "create", make: newCreate},
		{name: "start", make: newStart},
		{name: "stop", make: newStop},
		{name: "restart", make: newRestart},
		{name: "kill", make: newKill},
		{name: "pause", make: newPause},
		{name: "unpause", make: newUnpause},
		{name: "wait", make: newWait},
		{name: "rm", make: newRm},
		{name: "ls", make: newContainerLs},
		{name: "exec", make: newExec},
		{name: "attach", make: newAttach},
		{name: "logs", make: newLogs},
		{name: "inspect", make: newContainerInspect},
		{name: "top", make: newTop},
		{name: "stats", make: newStats},
		{name: "port", make: newPort},
		{name: "rename", make: newRename},
		{name: "cp", make: newCp},
		{name: "diff", make: newDiff},
		{name: "commit", make: newCommit},
		{name: "export", make: newExport},
		{name: "prune", make: newContainerPrune},
		{name: "update", make: newUpdate},
	}
	imageCommands = []entry{
		{name: "pull", make: newPull},
		{name: "ls", make: newImageLs},
		{name: "inspect", make: newImageInspect},
		{name: "history", make: newHistory},
		{name: "rm", make: newImageRm},
		{name: "tag", make: newTag},
		{name: "import", make: newImport},
		{name: "load", make: newLoad},
		{name: "save", make: newSave},
		{name: "prune", make: newImagePrune},
	}
	volumeCommands = []entry{
		{name: "create", make: newVolumeCreate},
		{name: "ls", make: newVolumeLs},
		{name: "inspect", make: newVolumeInspect},
		{name: "rm", make: newVolumeRm},
		{name: "prune", make: newVolumePrune},
	}
	secretCommands = []entry{
		{name: "create", make: newSecretCreate},
		{name: "ls", make: newSecretLs},
		{name: "inspect", make: newSecretInspect},
		{name: "rm", make: newSecretRm},
	}
	systemCommands = []entry{
		{name: "df", make: newSystemDf},
		{name: "events", make: newEvents},
		{name: "info", make: newInfo},
		{name: "prune", make: newSystemPrune},
		{name: "start-enabled", make: newStartEnabled},
	}
)

// wants tells which of the entries args can mean: the one they name, or, for
// help, completion and mistyped names, any.
func wants(args []string, entries []entry) func(name string) bool {
	if len(args) > 0 {
		for _, e := range entries {
			if e.name == args[0] {
				return func(name string) bool { return name == args[0] }
			}
		}
	}
	return func(string) bool { return true }
}

// group is a command that only holds others.
func group(a *app, name, short string, entries []entry) *cobra.Command {
	c := &cobra.Command{
		Use: name, Short: short, Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var rest []string
	if len(a.args) > 1 && a.args[0] == name {
		rest = a.args[1:]
	}
	wanted := wants(rest, entries)
	for _, e := range entries {
		if wanted(e.name) {
			child := e.make(a)
			child.DisableFlagsInUseLine = true
			c.AddCommand(child)
		}
	}
	return c
}

func newContainerLs(a *app) *cobra.Command {
	c := newPs(a)
	c.Use, c.Aliases = "ls [OPTIONS]", []string{"ps", "list"}
	return c
}

func newImageLs(a *app) *cobra.Command {
	c := newImages(a)
	c.Use, c.Aliases = "ls [OPTIONS] [REPOSITORY[:TAG]]", []string{"list"}
	return c
}

func newImageRm(a *app) *cobra.Command {
	c := newRmi(a)
	c.Use, c.Aliases = "rm [OPTIONS] IMAGE...", []string{"remove"}
	return c
}
