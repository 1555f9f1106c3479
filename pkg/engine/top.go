package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/record"
)

// Processes are a container's processes as ps would list them.
type Processes struct {
	Titles    []string
	Processes [][]string
}

// Top lists the processes of a running container. The pids are the host's: the
// container numbers its processes by itself. options are ps's; without any it
// is `ps -ef`, read from /proc here. With options the host's ps is asked, and
// of its answer the container's processes are kept.
func (e *Engine) Top(c *Container, options []string) (*Processes, error) {
	if !c.Running() {
		return nil, &NotRunningError{c.Name}
	}
	if c.State.Status == record.Restarting {
		return nil, fmt.Errorf("container %s is restarting, wait until the container is running", c.Name)
	}
	group, err := e.group(c)
	if err != nil {
		return nil, err
	}
	pids, err := group.Procs()
	if err != nil {
		return nil, fmt.Errorf("list the processes of container %s: %w", c.Name, err)
	}
	e.tell(c, "top", nil)
	slices.Sort(pids)
	if len(options) == 0 || slices.Equal(options, []string{"-ef"}) {
		return fullFormat(pids)
	}
	// By itself ps shows the processes of its own terminal. Some options do not go with
	// -q, and select by themselves.
	out, err := exec.Command("ps", append([]string{"-q", joined(pids)}, options...)...).Output()
	if err != nil {
		out, err = exec.Command("ps", options...).Output()
	}
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		said, _, _ := bytes.Cut(bytes.TrimSpace(failed.Stderr), []byte("\n")) // how ps is used comes behind
		return nil, fmt.Errorf("the host's ps: %s", bytes.TrimPrefix(said, []byte("error: ")))
	}
	if err != nil {
		return nil, fmt.Errorf("ask the host's ps: %w", err)
	}
	return parsePS(string(out), pids)
}

func joined(pids []int) string {
	words := make([]string, len(pids))
	for i, pid := range pids {
		words[i] = strconv.Itoa(pid)
	}
	return strings.Join(words, ",")
}

// parsePS keeps the rows of ps whose PID is one of pids. The last column is the
// rest of the line, for a command has spaces in it.
func parsePS(out string, pids []int) (*Processes, error) {
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	p := &Processes{Titles: strings.Fields(lines[0])}
	at := slices.Index(p.Titles, "PID")
	if at < 0 {
		return nil, errors.New("couldn't find PID field in ps output: these options leave it out")
	}
	within := false
	for _, line := range lines[1:] {
		f := strings.Fields(line)
		if len(f) < len(p.Titles) {
			continue
		}
		n := len(p.Titles) - 1
		row := append(slices.Clone(f[:n]), strings.Join(f[n:], " "))
		if f[at] != "-" { // else a thread of the process above
			pid, err := strconv.Atoi(f[at])
			within = err == nil && slices.Contains(pids, pid)
		}
		if within {
			p.Processes = append(p.Processes, row)
		}
	}
	return p, nil
}

// fullFormat is ps -ef, of some processes.
func fullFormat(pids []int) (*Processes, error) {
	p := &Processes{Titles: []string{"UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"}}
	boot, err := bootTime()
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		if row := processRow(pid, boot, time.Now()); row != nil { // else it has ended
			p.Processes = append(p.Processes, row)
		}
	}
	return p, nil
}

// ticks is the unit of times in /proc: USER_HZ, 100 on every machine.
const ticks = time.Second / 100

// processRow reads proc_pid_stat(5), whose second field, the program's name in
// parentheses, may itself hold spaces and parentheses.
func processRow(pid int, boot, now time.Time) []string {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if err != nil || open < 0 || end < open {
		return nil
	}
	f := strings.Fields(string(stat[end+1:]))
	if len(f) < 20 {
		return nil
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(f[i], 10, 64)
		return n
	}
	used, started := time.Duration(number(11)+number(12))*ticks, boot.Add(time.Duration(number(19))*ticks)
	percent := 0
	if age := now.Sub(started); age > 0 {
		percent = int(used * 100 / age)
	}
	command := "[" + string(stat[open+1:end]) + "]"
	if line, _ := os.ReadFile(dir + "/cmdline"); len(line) > 0 {
		command = strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
	}
	return []string{
		owner(dir), strconv.Itoa(pid), f[1], strconv.Itoa(percent), startText(started, now), terminalName(number(4)), clockText(used), command,
	}
}

// owner is who a process runs as, by the host's names.
func owner(dir string) string {
	var st unix.Stat_t
	if unix.Stat(dir, &st) != nil {
		return "?"
	}
	id := strconv.Itoa(int(st.Uid))
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// startText is ps's STIME: the hour, the day, or the year.
func startText(t, now time.Time) string {
	switch age := now.Sub(t); {
	case age < 24*time.Hour && t.Day() == now.Day():
		return t.Format("15:04")
	case t.Year() == now.Year():
		return t.Format("Jan02")
	}
	return t.Format("2006")
}

func clockText(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

// terminalName names a terminal by its device number: pseudo terminals have the
// majors from 136 on, the console's have 4.
func terminalName(device int64) string {
	major, minor := unix.Major(uint64(device)), unix.Minor(uint64(device))
	switch {
	case device == 0:
		return "?"
	case major >= 136 && major < 144:
		return fmt.Sprintf("pts/%d", (major-136)<<8+minor)
	case major == 4:
		return fmt.Sprintf("tty%d", minor)
	}
	return fmt.Sprintf("%d:%d", major, minor)
}

func bootTime() (time.Time, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, fmt.Errorf("find out when the machine was started: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if s, ok := strings.CutPrefix(line, "btime "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
			return time.Unix(n, 0), err
		}
	}
	return time.Time{}, errors.New("/proc/stat does not tell when the machine was started")
}
