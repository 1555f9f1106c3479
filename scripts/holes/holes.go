package main

const (
	oci      = "cmd/minictr-oci"
	terminal = "pkg/terminal/steps.go"
	mounts   = "pkg/rootfs/mounts.go"
)

// holes are in the order of the years.
var holes = []hole{
	{
		name: "CVE-2018-15664", change: "cp lets the kernel follow a path by its ordinary rules",
		edits: []edit{{"pkg/engine/archive/open.go", "Resolve: resolve}", "Resolve: 0 * resolve}"}},
		pkg:   "pkg/engine/archive", test: "TestASwappedDirectoryLeadsNowhere", says: `the secret got out`,
	},
	{
		name: "CVE-2019-5736", change: "the view of our program's file that a container's process runs from can be written to",
		edits: []edit{{"pkg/process/guard.go", "unix.MOUNT_ATTR_RDONLY, 0, unix.MS_PRIVATE", "0, 0, unix.MS_PRIVATE"}},
		pkg:   oci, test: "TestTheRuntimesBinaryCannotBeWritten", says: "has been overwritten",
	},
	{
		name: "CVE-2019-16884, CVE-2023-28642", change: "a link of the image may stand in the place of /proc",
		edits: []edit{{mounts, "resolve = unix.RESOLVE_NO_SYMLINKS", "resolve = 0"}},
		pkg:   oci, test: "TestLinksInPlaceOfWellKnownMountsAreRefused", says: `exit status 0, want 1 and "symbolic link"`,
	},
	{
		name: "CVE-2019-19921, CVE-2021-30465, CVE-2023-27561", change: "mounts are made before the pivot, where links of the image can name the host's files",
		edits: []edit{
			{"pkg/runtime/tree.go", "\tb.root(mounts, devices)\n", ""},
			{"pkg/runtime/tree.go", "\tswitch {\n\tcase made:", "\tb.root(mounts, devices)\n\tswitch {\n\tcase made:"},
		},
		pkg: "pkg/runtime", test: "TestNoPathOfTheContainerIsUsedBeforeThePivot", says: "before the pivot: ",
	},
	{
		name: "CVE-2022-24769, CVE-2022-29162", change: "capabilities are inheritable, as docker's were",
		edits: []edit{{"pkg/capability/sets.go", "read(c.Inheritable)", "read(c.Bounding)"}},
		pkg:   oci, test: "TestNothingIsInheritable", says: "CapInh",
	},
	{
		name: "CVE-2024-21626", change: "the working directory may be a descriptor of ours",
		edits: []edit{{"pkg/kernel/calls_path.go", "unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS|resolve", "resolve"}},
		pkg:   oci, test: "TestExecHasNoWayOutEither", says: `exit status 0, want 255`,
	},
	{
		name: "CVE-2024-21626", change: "descriptors that our caller has left open reach the program",
		edits: []edit{{"pkg/process/process.go", "append(kernel.CloseRest(3+keep), kernel.Umask(umask))...", "kernel.Umask(umask)"}},
		pkg:   oci, test: "TestPreservedDescriptorsReachTheProgramAndNoOthersDo", says: `output "given 0 1 `,
	},
	{
		name: "CVE-2025-31133", change: "paths are masked with the /dev/null of the image",
		edits: []edit{{
			"pkg/rootfs/mask.go", "calls = append(calls, cover(nullSlot,",
			"calls = append(calls, kernel.OpenTree(kernel.AtFDCWD, \"/dev/null\", cloneTree).Into(nullSlot).IfOK(file))\ncalls = append(calls, cover(nullSlot,",
		}},
		pkg: oci, test: "TestMaskingUsesTheHostsDevNull", says: `regular empty file`,
	},
	{
		name: "CVE-2025-52565", change: "/dev/console may be a link",
		edits: []edit{{terminal, "console, unix.O_PATH|unix.O_CLOEXEC, 0, unix.RESOLVE_NO_SYMLINKS", "console, unix.O_PATH|unix.O_CLOEXEC, 0, 0"}},
		pkg:   oci, test: "TestTheConsoleIsNotMountedOverALinksTarget", says: `exit status 0, want 1 and "symbolic link"`,
	},
	{
		name: "CVE-2025-52565", change: "/dev/pts may be a link",
		edits: []edit{{mounts, "resolve = unix.RESOLVE_NO_SYMLINKS", "resolve = 0"}},
		pkg:   oci, test: "TestALinkForTheTerminalsDirectoryIsRefused", says: `want 1 and "symbolic link"`,
	},
	{
		name: "CVE-2025-52881", change: "settings are written through the /proc that the container sees",
		edits: []edit{{
			"pkg/process/process.go", "kernel.Openat2(kernel.FD(settings), path, unix.O_WRONLY|unix.O_CLOEXEC, 0, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)",
			"kernel.Openat(kernel.AtFDCWD, \"/proc/sys/\"+path, unix.O_WRONLY|unix.O_CLOEXEC, 0)",
		}},
		pkg: oci, test: "TestSettingsAreWrittenToTheKernel",
	},
	{
		name: "links in layers", change: "unpacking follows the links of a layer by the ordinary rules",
		edits: []edit{{"pkg/image/layer/root.go", "Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,", ""}},
		pkg:   "pkg/image/layer", test: "TestNoEntryLeavesTheLayer/link_to_nowhere", says: "outside now holds",
	},
}
