package leak

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

func TestMountinfoIsRead(t *testing.T) {
	text := `22 1 0:21 / /proc rw,nosuid - proc proc rw
31 22 0:27 /sub/dir /mnt/with\040space ro,relatime shared:1 master:2 - ext4 /dev/sda1 rw
40 31 0:50 / /merged rw - overlay overlay rw,lowerdir=/a:/b
`
	all, err := parseMountinfo(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all {
		got = append(got, m.String())
	}
	want := []string{"/proc (proc proc)", "/mnt/with space (ext4 /dev/sda1 /sub/dir)", "/merged (overlay overlay)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := parseMountinfo(strings.NewReader("22 1 0:21 / /proc rw\n")); err == nil {
		t.Error("a line without its second half is accepted")
	}
}

func TestStatIsReadWhateverTheName(t *testing.T) {
	for _, test := range []struct {
		line string
		want process
	}{
		{"7 (sleep) S 1 7 7 0 -1 4194304 80 0", process{pid: 7, parent: 1, name: "sleep", state: 'S', flags: 4194304}},
		{"8 (a) Z (b) Z 7 8 8 0 -1 4228100 0", process{pid: 8, parent: 7, name: "a) Z (b", state: 'Z', flags: 4228100}},
		{"9 (kworker/0:1) I 2 0 0 0 -1 69238880 0", process{pid: 9, parent: 2, name: "kworker/0:1", state: 'I', flags: 69238880}},
	} {
		if got, err := parseStat(test.line); err != nil || got != test.want {
			t.Errorf("%s: got %+v, %v", test.line, got, err)
		}
	}
	for _, line := range []string{"", "7 sleep S 1", "7 (sleep", "x (sleep) S 1 7 7 0 -1 4 8", "7 (sleep) S"} {
		if got, err := parseStat(line); err == nil {
			t.Errorf("%q is accepted: %+v", line, got)
		}
	}
}

func TestSocketTablesAreRead(t *testing.T) {
	for _, test := range []struct {
		parse         func(string) (socket, bool)
		line, address string
	}{
		{parseInet, "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1", "127.0.0.1:8080"},
		{parseInet, "   1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1", ""}, // connected
		{parseInet, "   2: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 4713 2", "[::1]:53"},
		{parseInet, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", ""},
		{parseUnix, "ffff8880: 00000002 00000000 00010000 0001 01 4714 /run/x.sock", "/run/x.sock"},
		{parseUnix, "ffff8880: 00000003 00000000 00000000 0001 03 4715 /run/x.sock", ""}, // connected
		{parseUnix, "Num       RefCount Protocol Flags    Type St Inode Path", ""},
	} {
		got, ok := test.parse(test.line)
		if got.address != test.address || ok != (test.address != "") {
			t.Errorf("%s: got %+v, %v", test.line, got, ok)
		}
	}
}

func TestCompareCountsEqualThings(t *testing.T) {
	before := State{Mounts: {"/a", "/a", "/b"}, Processes: {"1 init", "5 cron"}}
	after := State{Mounts: {"/a", "/a", "/a"}, Processes: {"1 init", "9 sleep 100"}}
	want := []string{"left: mount /a", "gone: mount /b", "left: process 9 sleep 100"}
	if got := Compare(before, after); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestScopeFollowsTheEnvironment(t *testing.T) {
	for _, test := range []struct {
		ci, scope string
		want      []string
	}{
		{"true", "", nil},
		{"", "", []string{"minictr", "veth", "/dir"}},
		{"true", "a,b", []string{"a", "b", "/dir"}},
	} {
		t.Setenv("CI", test.ci)
		t.Setenv("MINICTR_LEAK_SCOPE", test.scope)
		if got := Default("/dir"); !slices.Equal(got.Tokens, test.want) || !slices.Equal(got.Dirs, []string{"/dir"}) {
			t.Errorf("CI=%q MINICTR_LEAK_SCOPE=%q: %+v", test.ci, test.scope, got)
		}
	}
}

// FuzzNetlinkMessages: whatever arrives, taking it apart ends and does not read beyond it.
func FuzzNetlinkMessages(f *testing.F) {
	body := append([]byte{2, 0, 0, 0}, attribute(nil, 1, []byte("filter\x00"))...)
	message := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
	message = append(binary.NativeEndian.AppendUint16(message, 0xa00), make([]byte, 10)...)
	f.Add(append(message, body...))
	f.Add([]byte{16, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, _, err := parseMessages(data)
		if err != nil && objects != nil {
			t.Error("objects beside an error")
		}
		for _, object := range objects {
			renderRule(object)
		}
	})
}
