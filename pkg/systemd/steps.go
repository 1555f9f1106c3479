package systemd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// private is where systemd listens for root without a bus between.
const private = "/run/systemd/private"

// patience bounds the wait for systemd, in seconds. A busy machine may keep its
// process 1 waiting.
const patience = 30

const (
	line  kernel.Slot = "systemd"
	reply kernel.Slot = "systemd-reply"
)

// Start makes the scope, around the container's first process, which the step
// finds in slot step.PID. The process must be in the scope's cgroup already.
func (s *Scope) Start(limits []Property) step.Step {
	list := append([]Property{
		{"Description", "minictr container " + s.Name},
		{"Slice", s.Slice},
		{"Delegate", true},
		{"DefaultDependencies", false}, // at shutdown the engine, not systemd, says what ends when
		{"CollectMode", "inactive-or-failed"},
		{"CPUAccounting", true},
		{"MemoryAccounting", true},
		{"TasksAccounting", true},
		{"IOAccounting", true},
	}, limits...)
	m := s.request(append(list, s.Properties...))
	return step.Step{
		Name:  "systemd.scope",
		Topic: book.Cgroups,
		Why:   "systemd looks after the cgroups of this machine; told of a scope, it leaves the container's cgroup and everything below to us",
		Side:  step.Host,
		Calls: say(m, "systemd-run --scope --unit="+s.Name+" --slice="+s.Slice+" -p Delegate=yes …"),
		Talk:  func(do step.Ask) error { return (&conversation{waits: true}).listen(do) },
		Rule:  "a scope ends with its last process",
	}
}

// pidMark stands in the message where the pid will be.
const pidMark = 0x51d3a7c5

func (s *Scope) request(list []Property) *kernel.Message {
	body := &encoder{}
	body.text(s.Name)
	body.text("replace")
	body.properties(append([]Property{{"PIDs", []uint32{pidMark}}}, list...))
	body.array(8, func() {}) // no auxiliary units
	b := Encode("StartTransientUnit", "ssa(sv)a(sa(sv))", body.b)
	at := bytes.Index(b, binary.LittleEndian.AppendUint32(nil, pidMark))
	shown := "PIDs=[%s]"
	for _, p := range list {
		shown += ", " + escape(p.String())
	}
	return &kernel.Message{
		Bytes: b, Patches: []kernel.Patch{{Offset: at, Slot: step.PID}},
		Show: show("StartTransientUnit", escape(fmt.Sprintf("%q", s.Name)), `"replace"`, "{"+shown+"}"),
	}
}

// escape keeps a text from being read as a format.
func escape(s string) string { return string(bytes.ReplaceAll([]byte(s), []byte("%"), []byte("%%"))) }

// Set changes the limits of a scope that is there.
func (s *Scope) Set(limits []Property) error {
	if len(limits) == 0 {
		return nil
	}
	body := &encoder{}
	body.text(s.Name)
	body.u32(1) // runtime: not beyond a reboot
	body.properties(limits)
	m := &kernel.Message{Bytes: Encode("SetUnitProperties", "sba(sv)", body.b), Show: show("SetUnitProperties", s.Name)}
	host := kernel.NewHost()
	defer host.CloseAll()
	for _, c := range say(m, "systemctl set-property --runtime "+s.Name) {
		if _, err := host.Do(c); err != nil {
			return fmt.Errorf("ask systemd: %w", err)
		}
	}
	return (&conversation{}).listen(host.Do)
}

// say connects with systemd, authenticates as root and makes one call: the
// protocol lets a client say all of it without waiting for answers.
func say(m *kernel.Message, shell string) []kernel.Call {
	socket := kernel.FD(line)
	return []kernel.Call{
		kernel.UnixSocket().Into(line),
		kernel.ReceiveTimeout(socket, patience),
		kernel.ConnectUnix(socket, private),
		// The user id in hexadecimal of its digits: "0".
		kernel.Write(socket, []byte("\x00AUTH EXTERNAL 30\r\nBEGIN\r\n")),
		kernel.Send(socket, m).As(shell),
	}
}

// listen receives until systemd has answered, and hangs up.
func (c *conversation) listen(do step.Ask) error {
	buffer := make([]byte, 4096)
	for {
		r, err := do(kernel.Receive(kernel.FD(line), buffer).Into(reply))
		switch {
		case errors.Is(err, unix.EAGAIN):
			return fmt.Errorf("systemd has not answered within %d seconds", patience)
		case err != nil:
			return fmt.Errorf("hear systemd's answer: %w", err)
		case r.Ret == 0:
			return errors.New("systemd has hung up without an answer")
		}
		over, err := c.hear(buffer[:r.Ret])
		if err != nil {
			return err
		}
		if over {
			_, err := do(kernel.Close(kernel.FD(line)))
			return err
		}
	}
}
