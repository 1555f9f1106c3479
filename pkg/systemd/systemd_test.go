package systemd

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestScopesAreNamedAsEnginesNameThem(t *testing.T) {
	for from, want := range map[string]string{
		"":                            "/system.slice/minictr-id.scope",
		"system.slice:docker:4f1c":    "/system.slice/docker-4f1c.scope",
		":docker:4f1c":                "/system.slice/docker-4f1c.scope",
		"machine.slice:libpod:4f1c":   "/machine.slice/libpod-4f1c.scope",
		"a-b-c.slice:cri:x":           "/a.slice/a-b.slice/a-b-c.slice/cri-x.scope",
		"-.slice::x":                  "/x.scope",
		"machine.slice::conmon.slice": "/machine.slice/conmon.slice",
		"/docker/4f1c":                "format",
		"a:b":                         "format",
		"../up.slice:a:b":             "no name of a slice",
		"a.slice:b:../../x":           "no name of a systemd unit",
		"a.slice:b:c/d":               "no name of a systemd unit",
		"system:a:b":                  "no name of a slice",
		"a--b.slice:a:b":              "every dash",
		"-a.slice:a:b":                "every dash",
		"a.slice:" + strings.Repeat("x", 300) + ":b": "no name of a systemd unit",
	} {
		s, err := Parse(from, "id")
		switch {
		case err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("%q: %v", from, err)
		case err == nil && s.Path() != want:
			t.Errorf("%q: %s, want %s", from, s.Path(), want)
		}
	}
}

func TestLimitsAreToldInSystemdsWords(t *testing.T) {
	for _, test := range []struct {
		files map[string]string
		v2    bool
		want  string
	}{
		{map[string]string{"memory.max": "1048576", "memory.swap.max": "max", "pids.max": "20", "cpu.weight": "59"}, true, "[CPUWeight=59 MemoryMax=1048576 MemorySwapMax=18446744073709551615 TasksMax=20]"},
		{map[string]string{"cpu.max": "50000 100000"}, true, "[CPUQuotaPerSecUSec=500000 CPUQuotaPeriodUSec=100000]"},
		{map[string]string{"cpu.max": "12345 10000"}, true, "[CPUQuotaPerSecUSec=1240000 CPUQuotaPeriodUSec=10000]"},
		{map[string]string{"cpu.max": "max 100000"}, true, "[CPUQuotaPerSecUSec=18446744073709551615 CPUQuotaPeriodUSec=100000]"},
		{map[string]string{"cpuset.cpus": "0-2,9", "cpuset.mems": "0"}, true, "[AllowedCPUs=0x0702 AllowedMemoryNodes=0x01]"},
		{map[string]string{"cpuset.cpus": "0-2"}, false, "[]"},
		{map[string]string{"memory.limit_in_bytes": "-1", "cpu.shares": "512", "cpu.cfs_quota_us": "20000"}, false, "[CPUQuotaPerSecUSec=200000 CPUShares=512 MemoryLimit=18446744073709551615]"},
		{map[string]string{"io.weight": "8:0 100", "hugetlb.2MB.max": "0"}, true, "[]"},
	} {
		got, err := Properties(maps.All(test.files), test.v2)
		slices.SortFunc(got, func(a, b Property) int { return strings.Compare(a.Name, b.Name) })
		if err != nil || fmt.Sprint(got) != test.want {
			t.Errorf("%v: %v (%v), want %s", test.files, got, err, test.want)
		}
	}
}

func TestAnnotationsAreProperties(t *testing.T) {
	got, err := Annotated(map[string]string{
		"org.systemd.property.TimeoutStopUSec": "uint64 5000000", "org.systemd.property.CollectMode": "'inactive'", "org.systemd.property.A": "true",
		"org.systemd.property.RuntimeMaxSec": "3", "org.systemd.property.N": "-1", "other": "nonsense",
	})
	want := []Property{{"A", true}, {"CollectMode", "inactive"}, {"N", int32(-1)}, {"RuntimeMaxUSec", uint64(3_000_000)}, {"TimeoutStopUSec", uint64(5_000_000)}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v (%v), want %v", got, err, want)
	}
	for _, bad := range []string{"", "nonsense", "uint32 -1", "[1, 2]", "'"} {
		if got, err := Annotated(map[string]string{"org.systemd.property.X": bad}); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

// message is an answer as systemd would send it.
func message(kind byte, serial uint32, member, name, signature string, body func(*encoder)) []byte {
	e := &encoder{b: []byte{'l', kind, 0, 1}}
	inner := &encoder{}
	if body != nil {
		body(inner)
	}
	e.u32(uint32(len(inner.b)))
	e.u32(77)
	e.array(8, func() {
		for code, text := range map[byte]string{fieldMember: member, fieldErrorName: name} {
			if text != "" {
				e.align(8)
				e.b = append(e.b, code)
				e.signature("s")
				e.text(text)
			}
		}
		e.align(8)
		e.b = append(e.b, fieldReplySerial)
		e.signature("u")
		e.u32(serial)
		e.align(8)
		e.b = append(e.b, fieldSignature)
		e.signature("g")
		e.signature(signature)
	})
	e.align(8)
	return append(e.b, inner.b...)
}

func TestAnAnswerIsUnderstoodHoweverItArrives(t *testing.T) {
	job := func(e *encoder) { e.text("/job/1") }
	ended := func(job, result string) []byte {
		return message(typeSignal, 0, "JobRemoved", "", "uoss", func(e *encoder) { e.u32(1); e.text(job); e.text("x.scope"); e.text(result) })
	}
	hello := []byte("OK 0123456789abcdef\r\n")
	for name, test := range map[string]struct {
		said []byte
		want string // of the error; "" for none, "more" for an answer that is not complete
	}{
		"done":             {slices.Concat(hello, message(typeReturn, serial, "", "", "o", job), ended("/job/1", "done")), ""},
		"done before":      {slices.Concat(hello, ended("/job/1", "done"), message(typeReturn, serial, "", "", "o", job)), ""},
		"another's job":    {slices.Concat(hello, message(typeReturn, serial, "", "", "o", job), ended("/job/2", "done")), "more"},
		"another's answer": {slices.Concat(hello, message(typeError, 9, "", "x.Bad", "s", job)), "more"},
		"job failed":       {slices.Concat(hello, message(typeReturn, serial, "", "", "o", job), ended("/job/1", "failed")), `ended with "failed"`},
		"refused":          {slices.Concat(hello, message(typeError, serial, "", "x.Bad", "s", func(e *encoder) { e.text("no such thing") })), "systemd refuses: no such thing (x.Bad)"},
		"not let in":       {[]byte("REJECTED EXTERNAL\r\n"), "does not let us in"},
		"no D-Bus":         {slices.Concat(hello, bytes.Repeat([]byte{'x'}, 64)), "no D-Bus message"},
	} {
		for _, size := range []int{1, 7, 4096} {
			c := &conversation{waits: true}
			over, err := false, error(nil)
			for part := range slices.Chunk(test.said, size) {
				if over, err = c.hear(part); over || err != nil {
					break
				}
			}
			got := "more"
			switch {
			case err != nil:
				got = err.Error()
			case over:
				got = ""
			}
			if got != test.want && (test.want == "" || !strings.Contains(got, test.want)) {
				t.Errorf("%s, in parts of %d: %q, want %q", name, size, got, test.want)
			}
		}
	}
}

func FuzzAnswersAreReadOrRefused(f *testing.F) {
	f.Add(message(typeReturn, serial, "", "", "o", func(e *encoder) { e.text("/job/1") }))
	f.Add(message(typeError, serial, "", "x.Bad", "s", func(e *encoder) { e.text("no") }))
	f.Fuzz(func(_ *testing.T, b []byte) {
		c := &conversation{waits: true, said: true}
		_, _ = c.hear(b)
	})
}

func TestAPidMayHaveAnyNumberInTheMessage(t *testing.T) {
	m := (&Scope{Name: "50%.scope", Slice: "a.slice"}).request([]Property{{"Description", "100%"}})
	if len(m.Patches) != 1 || m.Patches[0].Offset < 100 || m.Patches[0].Offset%4 != 0 {
		t.Errorf("patches %+v", m.Patches)
	}
	if shown := fmt.Sprintf(m.Show, "42"); !strings.Contains(shown, "PIDs=[42]") || !strings.Contains(shown, "100%") || strings.Contains(shown, "!") {
		t.Errorf("shown as %s", shown)
	}
}
