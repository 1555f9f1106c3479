package rootfs

import (
	"maps"
	"slices"
)

// OptionNames are the mount options that are ours to carry out; all others go
// to the file system.
func OptionNames() []string {
	names := []string{"bind", "rbind", "copy-symlink", "defaults", "dest-nofollow", "remount", "src-nofollow", "tmpcopyup", "idmap", "ridmap"}
	names = append(names, slices.Collect(maps.Keys(propagations))...)
	names = append(names, slices.Collect(maps.Keys(superblock))...)
	for name, bit := range attrs {
		names = append(names, name)
		if bit != 0 {
			names = append(names, "r"+name)
		}
	}
	for name, bit := range cleared {
		names = append(names, name)
		if bit != 0 {
			names = append(names, "r"+name)
		}
	}
	slices.Sort(names)
	return names
}
