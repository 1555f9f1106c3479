package systemd

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
)

// infinity is systemd's word for no limit, in numbers.
const infinity = math.MaxUint64

// numbers are the files that hold one number, and the properties for them.
var numbers = map[string]string{
	"cpu.weight": "CPUWeight", "io.weight": "IOWeight", "pids.max": "TasksMax",
	"memory.max": "MemoryMax", "memory.high": "MemoryHigh", "memory.low": "MemoryLow", "memory.min": "MemoryMin",
	"memory.swap.max": "MemorySwapMax",
	// cgroup v1
	"cpu.shares": "CPUShares", "memory.limit_in_bytes": "MemoryLimit", "blkio.weight": "BlockIOWeight",
}

// masks are those that hold a list, as in "0-2,7".
var masks = map[string]string{"cpuset.cpus": "AllowedCPUs", "cpuset.mems": "AllowedMemoryNodes"}

// Properties are what systemd is to know of a container's limits, from the files
// of its cgroup and their values: limits that systemd has no word for are the
// kernel's alone. On v1 it has none for sets of processors.
func Properties(settings iter.Seq2[string, string], v2 bool) ([]Property, error) {
	var list []Property
	quota, period := "", ""
	for file, value := range settings {
		switch {
		case numbers[file] != "":
			n, err := number(value)
			if err != nil {
				continue // a value for one device, "8:0 100": io.weight has both
			}
			list = append(list, Property{numbers[file], n})
		case masks[file] != "" && v2:
			m, err := mask(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			list = append(list, Property{masks[file], m})
		case file == "cpu.max":
			quota, period, _ = strings.Cut(value, " ")
		case file == "cpu.cfs_quota_us":
			quota = value
		case file == "cpu.cfs_period_us":
			period = value
		}
	}
	return append(list, bandwidth(quota, period)...), nil
}

// number is a limit; "max", and on v1 anything negative, is none.
func number(s string) (uint64, error) {
	if s == "max" || strings.HasPrefix(s, "-") {
		return infinity, nil
	}
	return strconv.ParseUint(s, 10, 64)
}

// bandwidth is processor time: systemd wants what there is of it in a second, in
// steps of 10 ms as it writes them itself, and the period, both in µs.
func bandwidth(quota, period string) (list []Property) {
	p, err := number(period)
	if err != nil || p == 0 {
		p = 100_000 // the kernel's own
	} else {
		list = append(list, Property{"CPUQuotaPeriodUSec", p})
	}
	q, err := number(quota)
	switch {
	case err != nil:
		return list
	case q == infinity:
		return append(list, Property{"CPUQuotaPerSecUSec", uint64(infinity)})
	}
	const step = 10_000
	return append(list, Property{"CPUQuotaPerSecUSec", (q*1_000_000/p + step - 1) / step * step})
}

// mask is a list of numbers as bits, the lowest first.
func mask(list string) ([]byte, error) {
	var bits []byte
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, errFrom := strconv.ParseUint(first, 10, 16)
		to, errTo := strconv.ParseUint(last, 10, 16)
		if errFrom != nil || errTo != nil || from > to {
			return nil, fmt.Errorf("%q is no list of numbers", list)
		}
		for n := from; n <= to; n++ {
			for int(n/8) >= len(bits) {
				bits = append(bits, 0)
			}
			bits[n/8] |= 1 << (n % 8)
		}
	}
	return bits, nil
}

// annotation begins the names of annotations that are properties of the unit.
const annotation = "org.systemd.property."

// Annotated are the properties that a configuration asks for in annotations, as
// in org.systemd.property.TimeoutStopUSec: "uint64 5000000". Values are written
// as GVariant has it: 'text', true, a number, or a type and a number.
func Annotated(annotations map[string]string) ([]Property, error) {
	var list []Property
	for key, text := range annotations {
		name, ok := strings.CutPrefix(key, annotation)
		if !ok {
			continue
		}
		value, err := variant(text)
		if err != nil || name == "" {
			return nil, fmt.Errorf("annotation %s=%q: it must be 'text', true, false, or a number with or without one of the types int32, uint32, int64, uint64", key, text)
		}
		// systemd.resource-control(5) and D-Bus have different names for seconds.
		if s, isSec := strings.CutSuffix(name, "Sec"); isSec && !strings.HasSuffix(name, "USec") {
			if n, isNumber := seconds(value); isNumber {
				name, value = s+"USec", n
			}
		}
		list = append(list, Property{name, value})
	}
	slices.SortFunc(list, func(a, b Property) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

func seconds(value any) (µs uint64, ok bool) {
	switch v := value.(type) {
	case int32:
		return uint64(v) * 1_000_000, v >= 0
	case uint32:
		return uint64(v) * 1_000_000, true
	case int64:
		return uint64(v) * 1_000_000, v >= 0
	case uint64:
		return v * 1_000_000, true
	}
	return 0, false
}

func variant(text string) (any, error) {
	if n := len(text); n >= 2 && (text[0] == '\'' || text[0] == '"') && text[n-1] == text[0] {
		return text[1 : n-1], nil
	}
	if text == "true" || text == "false" {
		return text == "true", nil
	}
	kind, digits, typed := strings.Cut(text, " ")
	if !typed {
		kind, digits = "int32", text
	}
	switch kind {
	case "int32":
		n, err := strconv.ParseInt(digits, 10, 32)
		return int32(n), err
	case "uint32":
		n, err := strconv.ParseUint(digits, 10, 32)
		return uint32(n), err
	case "int64":
		n, err := strconv.ParseInt(digits, 10, 64)
		return n, err
	case "uint64":
		return strconv.ParseUint(digits, 10, 64)
	}
	return nil, fmt.Errorf("unknown type %q", kind)
}
