package explain

import (
	"fmt"
	"math/bits"
	"strconv"
)

// capabilities adds to a set of /proc/<pid>/status how many it holds.
func capabilities(hex string) string {
	set, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return hex
	}
	return fmt.Sprintf("%s (%d)", hex, bits.OnesCount64(set))
}
