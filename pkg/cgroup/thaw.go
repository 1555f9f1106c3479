package cgroup

import (
	"fmt"
	"strings"

	"minictr/pkg/step"
)

// ThawProcess thaws the v1 cgroup that stops process pid, whosever it is: in
// v1 a frozen process does not even die of SIGKILL. In cgroup2 it does. What
// cannot be done is left: whoever waits for the process will notice.
func ThawProcess(pid int) {
	h, err := Detect()
	if err != nil || h.V1["freezer"] == "" {
		return
	}
	text, err := readFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return
	}
	path := pathUnder(text, "freezer")
	if path == "" || path == "/" {
		return
	}
	file := h.V1["freezer"] + path + "/freezer.state"
	if state, err := readFile(file); err == nil && strings.TrimSpace(state) != "THAWED" {
		_ = write(file, "THAWED", step.Direct())
	}
}
