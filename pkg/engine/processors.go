package engine

import (
	"fmt"
	"os"
	"strings"

	"minictr/pkg/engine/config"
	"minictr/pkg/process"
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
	if !process.Within(wanted, there) {
		return fmt.Errorf("requested %s are not available: requested %s, available: %s", what, wanted, there)
	}
	return nil
}
