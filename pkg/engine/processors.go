package engine

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"minictr/pkg/engine/config"
)

// Where the kernel lists the processors and the memory nodes that it has, as
// ranges: 0-3,8.
const (
	onlineCPUs  = "/sys/devices/system/cpu/online"
	onlineNodes = "/sys/devices/system/node/online"
)

// processors says which of the processors and memory nodes that a container
// wants this machine lacks. The kernel would say "Numerical result out of range".
func processors(c *config.Config) error {
	if err := amongThose("CPUs", c.CpusetCpus, onlineCPUs); err != nil {
		return err
	}
	return amongThose("memory nodes", c.CpusetMems, onlineNodes)
}

// amongThose compares a list with that in a file. Without the file, the kernel
// is to judge.
func amongThose(what, wanted, file string) error {
	text, err := os.ReadFile(file)
	if err != nil || wanted == "" {
		return nil
	}
	there := strings.TrimSpace(string(text))
	for _, w := range ranges(wanted) {
		if !slices.ContainsFunc(ranges(there), func(h [2]int) bool { return h[0] <= w[0] && w[1] <= h[1] }) {
			return fmt.Errorf("requested %s are not available: requested %s, available: %s", what, wanted, there)
		}
	}
	return nil
}

// ranges reads a list such as 0-2,4 that was checked, or the kernel made.
func ranges(list string) (all [][2]int) {
	for part := range strings.SplitSeq(list, ",") {
		from, to, two := strings.Cut(part, "-")
		if !two {
			to = from
		}
		first, _ := strconv.Atoi(from)
		last, _ := strconv.Atoi(to)
		all = append(all, [2]int{first, last})
	}
	return all
}
