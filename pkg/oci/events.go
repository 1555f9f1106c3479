package oci

import "minictr/pkg/cgroup"

// Event is a line of the events command, in the words of runc, which monitoring
// tools read.
type Event struct {
	Type string     `json:"type"`
	ID   string     `json:"id"`
	Data *EventData `json:"data,omitempty"`
}

// EventData are a container's numbers; times are nanoseconds, sizes bytes.
type EventData struct {
	CPU    eventCPU    `json:"cpu"`
	Memory eventMemory `json:"memory"`
	Pids   eventPids   `json:"pids"`
	Blkio  eventBlkio  `json:"blkio"`
}

type eventCPU struct {
	Usage struct {
		Total  uint64 `json:"total"`
		Kernel uint64 `json:"kernel"`
		User   uint64 `json:"user"`
	} `json:"usage"`
	Throttling struct {
		Periods          uint64 `json:"periods"`
		ThrottledPeriods uint64 `json:"throttledPeriods"`
		ThrottledTime    uint64 `json:"throttledTime"`
	} `json:"throttling"`
}

type memoryEntry struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage"`
	Max     uint64 `json:"max"`
	Failcnt uint64 `json:"failcnt"`
}

type eventMemory struct {
	Cache uint64            `json:"cache"`
	Usage memoryEntry       `json:"usage"`
	Swap  memoryEntry       `json:"swap"`
	Raw   map[string]uint64 `json:"raw"`
}

type eventPids struct {
	Current uint64 `json:"current"`
	Limit   uint64 `json:"limit"`
}

type blkioEntry struct {
	Major uint64 `json:"major"`
	Minor uint64 `json:"minor"`
	Op    string `json:"op"`
	Value uint64 `json:"value"`
}

type eventBlkio struct {
	Bytes    []blkioEntry `json:"ioServiceBytesRecursive,omitempty"`
	Requests []blkioEntry `json:"ioServicedRecursive,omitempty"`
}

// StatsEvent is what the container uses now.
func (c *Container) StatsEvent() (Event, error) {
	s, err := c.Stats()
	if err != nil {
		return Event{}, err
	}
	return Event{Type: "stats", ID: c.ID, Data: eventData(s)}, nil
}

func eventData(s cgroup.Stats) *EventData {
	d := &EventData{Pids: eventPids{s.Pids.Current, s.Pids.Limit}}
	d.CPU.Usage.Total, d.CPU.Usage.Kernel, d.CPU.Usage.User = uint64(s.CPU.Usage), uint64(s.CPU.System), uint64(s.CPU.User)
	d.CPU.Throttling.Periods, d.CPU.Throttling.ThrottledPeriods = s.CPU.Periods, s.CPU.Throttled
	d.CPU.Throttling.ThrottledTime = uint64(s.CPU.ThrottledTime)
	m := s.Memory
	d.Memory = eventMemory{
		Cache: m.Cache,
		Usage: memoryEntry{Limit: m.Limit, Usage: m.Usage, Max: m.Peak, Failcnt: m.LimitHits},
		Swap:  memoryEntry{Limit: m.SwapLimit, Usage: m.Swap},
		Raw:   map[string]uint64{"anon": m.Anonymous, "file": m.Cache, "inactive_file": m.InactiveFile},
	}
	for _, io := range s.IO {
		entry := func(op string, v uint64) blkioEntry {
			return blkioEntry{uint64(io.Major), uint64(io.Minor), op, v}
		}
		d.Blkio.Bytes = append(d.Blkio.Bytes, entry("Read", io.ReadBytes), entry("Write", io.WriteBytes))
		d.Blkio.Requests = append(d.Blkio.Requests, entry("Read", io.Reads), entry("Write", io.Writes))
	}
	return d
}
