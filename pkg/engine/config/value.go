package config

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ParseSize reads a size in bytes: a number, whole or decimal, with an
// optional unit b, k, m, g, t or p, which may be followed by b or ib (all
// powers of 1024).
func ParseSize(s string) (int64, error) {
	number := strings.ToLower(strings.TrimSpace(s))
	number = strings.TrimSuffix(number, "b")
	if strings.HasSuffix(number, "i") && len(number) > 1 && !isDigit(number[len(number)-2]) {
		number = number[:len(number)-1]
	}
	shift := 0
	if n := len(number); n > 0 {
		if i := strings.IndexByte("kmgtp", number[n-1]); i >= 0 {
			shift, number = 10*(i+1), strings.TrimSpace(number[:n-1])
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	bytes := v * float64(int64(1)<<shift)
	if err != nil || number == "" || !isDigit(number[0]) || bytes >= math.MaxInt64 || math.IsNaN(bytes) {
		return 0, fmt.Errorf("invalid size %q: want a number and perhaps a unit, such as 256m", s)
	}
	return int64(bytes), nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// ParseMemorySwap is ParseSize, with -1 for no limit.
func ParseMemorySwap(s string) (int64, error) {
	if s == "-1" {
		return -1, nil
	}
	return ParseSize(s)
}

// ParseCPUs reads a number of CPUs, such as 1.5, as billionths. It is exact:
// 0.1 is 100000000.
func ParseCPUs(s string) (int64, error) {
	r, ok := new(big.Rat).SetString(s)
	if !ok || strings.ContainsAny(s, "/eEpPxX_") {
		return 0, fmt.Errorf("invalid number of CPUs %q", s)
	}
	nano := r.Mul(r, big.NewRat(1e9, 1))
	if !nano.IsInt() || !nano.Num().IsInt64() || nano.Sign() < 0 {
		return 0, fmt.Errorf("invalid number of CPUs %q", s)
	}
	return nano.Num().Int64(), nil
}

// ParseUlimit reads NAME=SOFT[:HARD].
func ParseUlimit(s string) (Ulimit, error) {
	name, value, ok := strings.Cut(s, "=")
	if !ok || !slices.Contains(ulimits, name) {
		return Ulimit{}, fmt.Errorf("invalid ulimit %q: want NAME=SOFT[:HARD], NAME one of %s", s, strings.Join(ulimits, ", "))
	}
	soft, hard, two := strings.Cut(value, ":")
	if !two {
		hard = soft
	}
	u := Ulimit{Name: name}
	var err1, err2 error
	u.Soft, err1 = strconv.ParseInt(soft, 10, 64)
	u.Hard, err2 = strconv.ParseInt(hard, 10, 64)
	if errors.Join(err1, err2) != nil || u.Soft < -1 || u.Hard < -1 {
		return u, fmt.Errorf("invalid ulimit %q: limits are numbers, -1 for none", s)
	}
	if u.Hard != -1 && (u.Soft > u.Hard || u.Soft == -1) {
		return u, fmt.Errorf("invalid ulimit %q: the soft limit is above the hard one", s)
	}
	return u, nil
}

var ulimits = []string{
	"core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice",
	"nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
}

// CheckHostname refuses what sethostname(2) or a resolver would choke on.
func CheckHostname(s string) error {
	if len(s) > 64 {
		return fmt.Errorf("invalid hostname %q: longer than 64 characters", s)
	}
	for label := range strings.SplitSeq(s, ".") {
		for i := range len(label) {
			c := label[i]
			if !isDigit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-' && c != '_' {
				return fmt.Errorf("invalid hostname %q: letters, digits, - and dots only", s)
			}
		}
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return fmt.Errorf("invalid hostname %q: a part of it is empty, or starts or ends with -", s)
		}
	}
	return nil
}

// ParseSignal reads a signal: 9, KILL, or SIGKILL; RTMIN+3 and RTMAX-1 too.
func ParseSignal(s string) (unix.Signal, error) {
	if n, err := strconv.Atoi(s); err == nil {
		if n < 1 || n > 64 {
			return 0, fmt.Errorf("invalid signal %q", s)
		}
		return unix.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if sig := unix.SignalNum("SIG" + name); sig != 0 {
		return sig, nil
	}
	for base, first := range map[string]int{"RTMIN": 34, "RTMAX": 64} {
		offset, ok := strings.CutPrefix(name, base)
		n := 0
		if ok && offset != "" {
			var err error
			if n, err = strconv.Atoi(offset); err != nil {
				continue
			}
		}
		if sig := first + n; ok && sig >= 34 && sig <= 64 {
			return unix.Signal(sig), nil
		}
	}
	return 0, fmt.Errorf("invalid signal %q", s)
}
