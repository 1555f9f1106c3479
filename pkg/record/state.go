package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/members"
)

// Status is a stage of a container's life, in docker's words.
type Status string

// A container is created, then running, perhaps paused, then exited. It is
// restarting from its end to its next beginning, if a restart policy wants one.
// Dead is one whose record is damaged.
const (
	Created    Status = "created"
	Running    Status = "running"
	Paused     Status = "paused"
	Restarting Status = "restarting"
	Exited     Status = "exited"
	Dead       Status = "dead"
)

// State is state.json: how a container is doing.
type State struct {
	Status     Status    `json:"status"`
	Pid        int       `json:"pid,omitempty"`       // of its first process, while it runs
	PidStart   uint64    `json:"pidStart,omitempty"`  // that process's start time, see [StartTime]
	ShimPid    int       `json:"shimPid,omitempty"`   // likewise of its shim
	ShimStart  uint64    `json:"shimStart,omitempty"` //
	StartedAt  time.Time `json:"startedAt,omitzero"`
	FinishedAt time.Time `json:"finishedAt,omitzero"`
	ExitCode   int       `json:"exitCode"`
	Error      string    `json:"error,omitempty"` // why it did not start, or was given up
	OOMKilled  bool      `json:"oomKilled,omitempty"`

	Restarts int     `json:"restarts,omitempty"` // how often its policy has started it again
	Stopped  bool    `json:"stopped,omitempty"`  // its end is the user's wish: see restart policy unless-stopped
	Health   *Health `json:"health,omitempty"`   // nil: nobody looks
}

// Health is what the health check of a container has found so far.
type Health struct {
	Status        string  `json:"status"`        // starting, healthy or unhealthy
	FailingStreak int     `json:"failingStreak"` // failures since the last success
	Log           []Probe `json:"log,omitempty"` // the last few, the oldest first
}

// Probe is one run of a health check, with docker's names.
type Probe struct {
	Start    time.Time
	End      time.Time
	ExitCode int // 0: healthy; -1: it did not end in time
	Output   string
}

// Live reports whether the state claims that somebody looks after the
// container: it has processes, or will have again in a moment.
func (s State) Live() bool {
	return s.Status == Running || s.Status == Paused || s.Status == Restarting
}

// WriteState replaces state.json in the container directory dir. The caller
// holds the container's lock.
//
// On a full disk it writes over the old one, which has its place: a container
// that has ended must not run in its record for ever.
func WriteState(dir string, s State) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	b = append(b, '\n')
	path := filepath.Join(dir, "state.json")
	err = writeFile(path, b)
	if (errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)) && overwrite(path, b) == nil {
		return nil
	}
	return err
}

// overwrite writes b over what is in the file path, if it has blocks for that.
// It is one write, so that nobody reads a half of it. What b is too short for
// becomes spaces: a file must not be cut and written in two steps.
func overwrite(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if int64(len(b)) > max(st.Size, 512*st.Blocks) {
		return unix.ENOSPC
	}
	b = append(b, bytes.Repeat([]byte(" "), int(max(0, st.Size-int64(len(b)))))...)
	_, err = f.Write(b)
	return err
}

// ReadState reads state.json. A file that a power cut damaged is Dead, and so is
// one that is missing beside a container.json.
func ReadState(dir string) (State, error) {
	path := filepath.Join(dir, "state.json")
	b, err := kernel.Load(path)
	if errors.Is(err, os.ErrNotExist) {
		if _, missing := os.Lstat(filepath.Join(dir, "container.json")); missing != nil {
			return State{}, fmt.Errorf("read state: %w", err)
		}
	}
	var s State
	if err == nil {
		err = members.Read(b, s.members())
	}
	if err != nil || s.Status == "" {
		return State{Status: Dead, Error: fmt.Sprintf("%s is damaged", path)}, nil
	}
	return s, nil
}

// members is where state.json's members go; every command reads some.
func (s *State) members() members.Table {
	return members.Table{
		"status": (*string)(&s.Status), "pid": &s.Pid, "pidStart": &s.PidStart, "shimPid": &s.ShimPid, "shimStart": &s.ShimStart,
		"startedAt": &s.StartedAt, "finishedAt": &s.FinishedAt, "exitCode": &s.ExitCode, "error": &s.Error, "oomKilled": &s.OOMKilled,
		"restarts": &s.Restarts, "stopped": &s.Stopped, "health": &s.Health,
	}
}

// StartTime is when the process pid was started, in clock ticks since the
// machine was: with the pid it names one process for good.
func StartTime(pid int) (uint64, error) {
	stat, err := kernel.Load("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("find the start time of process %d: %w", pid, err)
	}
	start, err := parseStart(stat)
	if err != nil {
		return 0, fmt.Errorf("find the start time of process %d: %w", pid, err)
	}
	return start, nil
}

// parseStart takes field 22 from a stat file. Field 2, the program's name in
// parentheses, may itself hold spaces and parentheses: count from its end.
func parseStart(stat []byte) (uint64, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0, errors.New("no start time in the stat file")
	}
	return strconv.ParseUint(string(fields[19]), 10, 64)
}

// Alive reports whether the process that had pid and start time start is
// still there, as a zombie at least.
func Alive(pid int, start uint64) bool {
	now, err := StartTime(pid)
	return err == nil && now == start
}
