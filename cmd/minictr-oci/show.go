package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/oci"
)

// listed is a container as state and list print it: the specification's state
// and what runc adds.
type listed struct {
	Version     string               `json:"ociVersion"`
	ID          string               `json:"id"`
	Pid         int                  `json:"pid"`
	Status      specs.ContainerState `json:"status"`
	Bundle      string               `json:"bundle"`
	Rootfs      string               `json:"rootfs"`
	Created     time.Time            `json:"created"`
	Annotations map[string]string    `json:"annotations,omitempty"`
	Owner       string               `json:"owner"`
}

func describe(c *oci.Container) listed {
	s := c.State()
	return listed{s.Version, s.ID, s.Pid, s.Status, s.Bundle, c.RootPath(), c.Created, s.Annotations, ""}
}

func print(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	fmt.Println(string(b))
	return nil
}

func (a *app) state(args []string) error {
	c, err := a.one("state", args)
	if err != nil || c == nil {
		return err
	}
	if c.PID == 0 { // create is at it, or was killed at it
		return oci.ErrNotFound
	}
	return print(describe(c))
}

func (a *app) list(args []string) error {
	f := newFlags("list", "")
	format := f.stringBoth("format", "f", "table", "table or json")
	quiet := f.boolBoth("quiet", "q", "ids only")
	if _, err := f.all(args, 0, 0); err != nil || f.helped {
		return err
	}
	all, err := a.root.List()
	if err != nil {
		return err
	}
	if *quiet {
		for _, c := range all {
			fmt.Println(c.ID)
		}
		return nil
	}
	owner := ownerOf(string(a.root))
	items := make([]listed, 0, len(all))
	for _, c := range all {
		item := describe(c)
		item.Owner = owner
		items = append(items, item)
	}
	switch *format {
	case "table":
		w := tabwriter.NewWriter(os.Stdout, 12, 1, 3, ' ', 0)
		fmt.Fprint(w, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER\n")
		for _, i := range items {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", i.ID, i.Pid, i.Status, i.Bundle, i.Created.Format(time.RFC3339Nano), i.Owner)
		}
		return w.Flush()
	case "json":
		b, err := json.Marshal(items)
		if err == nil {
			_, err = fmt.Println(string(b))
		}
		return err
	}
	return errors.New("invalid format option")
}

// ownerOf is the name of the user a state directory belongs to.
func ownerOf(dir string) string {
	u, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if _, e := os.Stat(dir); e != nil || err != nil {
		return "#" + strconv.Itoa(os.Geteuid())
	}
	return u.Username
}

func (a *app) ps(args []string) error {
	f := newFlags("ps", "ID [PS OPTION…]")
	format := f.stringBoth("format", "f", "table", "table or json")
	rest, err := f.first(args)
	if err != nil || f.helped {
		return err
	}
	if len(rest) == 0 {
		return fmt.Errorf("minictr-oci: %q requires a minimum of %d argument(s)", "ps", 1)
	}
	c, err := a.root.Load(rest[0])
	if err != nil {
		return err
	}
	pids, err := c.Processes()
	if err != nil {
		return err
	}
	slices.Sort(pids)
	switch *format {
	case "json":
		if pids == nil {
			pids = []int{}
		}
		b, err := json.Marshal(pids)
		if err == nil {
			_, err = fmt.Println(string(b))
		}
		return err
	case "table":
		return psTable(pids, rest[1:])
	}
	return errors.New("invalid format option")
}

// psTable has ps print all processes and keeps the container's.
func psTable(pids []int, options []string) error {
	if len(options) == 0 {
		options = []string{"-ef"}
	}
	out, err := exec.Command("ps", options...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ps: %w: %s", err, strings.TrimSpace(string(out)))
	}
	lines := strings.Split(string(out), "\n")
	column := slices.Index(strings.Fields(lines[0]), "PID")
	if column < 0 {
		return errors.New("couldn't find PID field in ps output")
	}
	fmt.Println(lines[0])
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		if len(fields) <= column {
			continue
		}
		if pid, err := strconv.Atoi(fields[column]); err == nil && slices.Contains(pids, pid) {
			fmt.Println(line)
		}
	}
	return nil
}

func (a *app) events(args []string) error {
	f := newFlags("events", "ID")
	interval := f.Duration("interval", 5*time.Second, "`time` between two lines")
	once := f.Bool("stats", false, "print what it uses now, and end")
	ids, err := f.all(args, 1, 1)
	if err != nil || f.helped {
		return err
	}
	if *interval <= 0 {
		return errors.New("duration interval must be greater than 0")
	}
	c, err := a.root.Load(ids[0])
	if err != nil {
		return err
	}
	debug.SetGCPercent(100) // this may take long
	kills := c.OOMKills()
	for out := json.NewEncoder(os.Stdout); ; {
		event, err := c.StatsEvent()
		if errors.Is(err, oci.ErrNotRunning) && !*once {
			return nil // it has ended: so do its events
		}
		if err != nil {
			return err
		}
		if err := out.Encode(event); err != nil || *once {
			return err
		}
		time.Sleep(*interval)
		if n := c.OOMKills(); n > kills {
			kills = n
			if err := out.Encode(oci.Event{Type: "oom", ID: c.ID}); err != nil {
				return err
			}
		}
	}
}

func (a *app) spec(args []string) error {
	f := newFlags("spec", "")
	bundle := f.stringBoth("bundle", "b", ".", "`directory` to write config.json to")
	rootless := f.Bool("rootless", false, "for a user without rights")
	if _, err := f.all(args, 0, 0); err != nil || f.helped {
		return err
	}
	path := filepath.Join(*bundle, "config.json")
	b, err := json.MarshalIndent(oci.ExampleSpec(*rootless, os.Geteuid(), os.Getegid()), "", "\t")
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, os.ErrExist) {
		//lint:ignore ST1005 runc's words
		return errors.New("File config.json exists. Remove it first")
	}
	if err != nil {
		return err
	}
	_, err = file.Write(append(b, '\n'))
	return errors.Join(err, file.Close())
}

func (a *app) features(args []string) error {
	f := newFlags("features", "")
	if _, err := f.all(args, 0, 0); err != nil || f.helped {
		return err
	}
	list, err := oci.Features()
	if err != nil {
		return err
	}
	return print(list)
}
