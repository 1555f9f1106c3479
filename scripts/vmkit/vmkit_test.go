package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestModinfoNamesDependenciesAndAliases(t *testing.T) {
	found := parseModinfo([]byte("license=GPL\x00alias=rtnl-link-veth\x00depends=nf-nat,x_tables\x00alias=fs-overlay\x00depends=\x00"))
	if want := []string{"nf_nat", "x_tables"}; !slices.Equal(found.depends, want) {
		t.Errorf("depends = %q, want %q", found.depends, want)
	}
	if want := []string{"rtnl-link-veth", "fs-overlay"}; !slices.Equal(found.aliases, want) {
		t.Errorf("aliases = %q, want %q", found.aliases, want)
	}
}

// modprobe loads a line of modules.dep from its end, so what others need must stand behind them.
func TestModulesDepPutsEachModuleBehindItsUsers(t *testing.T) {
	byName := map[string]module{
		"top":    {name: "top", depends: []string{"left", "base", "right"}},
		"left":   {name: "left", depends: []string{"base"}},
		"right":  {name: "right", depends: []string{"left"}},
		"base":   {name: "base"},
		"lonely": {name: "lonely"},
	}
	if got, want := transitive(byName["top"], byName), []string{"right", "left", "base"}; !slices.Equal(got, want) {
		t.Errorf("top needs %q, want %q", got, want)
	}
	if got := transitive(byName["lonely"], byName); len(got) != 0 {
		t.Errorf("lonely needs %q", got)
	}
}

func TestWantedModulesMatchWholePathElements(t *testing.T) {
	for file, want := range map[string]bool{
		"kernel/drivers/net/tun.ko":           true,
		"kernel/drivers/net/tun.ko.xz":        true,
		"kernel/drivers/net/tunnel/x.ko":      false,
		"kernel/drivers/net/vxlan/vxlan.ko":   true,
		"kernel/net/ipv4/netfilter/ip_nat.ko": true,
		"kernel/sound/veth.ko":                false,
	} {
		got := slices.ContainsFunc(wantedModules, func(w string) bool { return wanted(file, w) })
		if got != want {
			t.Errorf("%s: wanted is %v", file, got)
		}
	}
}

// TestArchiveUnpacks hands the archive to another implementation of the format.
func TestArchiveUnpacks(t *testing.T) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs busybox, whose cpio unpacks the archive")
	}
	source := filepath.Join(t.TempDir(), "tree")
	for name, content := range map[string]string{"a": "12345", "sub/b": "", "sub/deep/c": "x"} {
		path := filepath.Join(source, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	into := newArchive(&out)
	into.Dir("tmp", 0o1777)
	into.Data("deep/er/file", 0o600, "seven b")
	into.Link("link", "deep/er/file")
	into.Tree("/copy", source)
	into.File("one", filepath.Join(source, "a"))
	if err := into.Close(); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	unpack := exec.Command(busybox, "cpio", "-i", "-d", "-m")
	unpack.Dir, unpack.Stdin = root, &out
	if said, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v\n%s", err, said)
	}
	for name, want := range map[string]string{
		"deep/er/file": "seven b", "link": "seven b", "copy/a": "12345", "copy/sub/b": "", "copy/sub/deep/c": "x", "one": "12345",
	} {
		if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
		}
	}
	info, err := os.Stat(filepath.Join(root, "tmp"))
	if err != nil || info.Mode()&os.ModeSticky == 0 || info.Mode().Perm() != 0o777 {
		t.Errorf("tmp: %v, %v", info, err)
	}
}

func TestArchiveReportsTheFirstError(t *testing.T) {
	into := newArchive(&bytes.Buffer{})
	into.File("x", "/nonexistent/first")
	into.File("y", "/nonexistent/second")
	if err := into.Close(); err == nil || !strings.Contains(err.Error(), "first") {
		t.Errorf("Close = %v, want the error about the first file", err)
	}
}

// TestNoFailureInTheVMIsLost feeds convert what a VM may print and looks for the package's outcome.
func TestNoFailureInTheVMIsLost(t *testing.T) {
	const pass = "\x16=== RUN   TestA\n\x16--- PASS: TestA (0.00s)\n\x16PASS\n"
	for _, test := range []struct {
		name, output, outcome string
		failed                bool
	}{
		{"a pass", beginMark + "p\n" + pass + "\n" + endMark + "0\n", "pass", false},
		{"a failed test", beginMark + "p\n\x16=== RUN   TestA\n\x16--- FAIL: TestA (0.00s)\n\x16FAIL\n\n" + endMark + "1\n", "fail", true},
		{"a panic", beginMark + "p\n\x16=== RUN   TestA\npanic: oh\n\n" + endMark + "2\n", "fail", true},
		{"an exit code behind a pass", beginMark + "p\n" + pass + "\n" + endMark + "3\n", "fail", true},
		{"an early exit with code 0", beginMark + "p\n\x16=== RUN   TestA\n\n" + endMark + "0\n", "fail", true},
		{"the VM dies", beginMark + "p\n\x16=== RUN   TestA\nsome wo", "fail", true},
		{"the VM dies before", "", "fail", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			failed := convert(&out, strings.NewReader(test.output), []testPackage{{Name: "p"}})
			if outcome := packageOutcome(out.Bytes()); failed != test.failed || outcome != test.outcome {
				t.Errorf("failed is %v, the last outcome %q\n%s", failed, outcome, out.String())
			}
		})
	}
}

func TestDirectivesSelectTests(t *testing.T) {
	for _, test := range []struct {
		files map[string]string
		wants bool
		run   string
	}{
		{map[string]string{"a_test.go": "package a\n"}, false, ""},
		{map[string]string{"a.go": "//minictr:vm\n"}, false, ""}, // not a test file
		{map[string]string{"a_test.go": "// about //minictr:vm\n"}, false, ""},
		{map[string]string{"a_test.go": "package a\n\n//minictr:vm\nfunc"}, true, ""},
		{map[string]string{"a_test.go": "//minictr:vm TestA|TestB\n", "b_test.go": "//minictr:vm TestC\n"}, true, "TestA|TestB|TestC"},
		{map[string]string{"a_test.go": "//minictr:vm TestA\n", "b_test.go": "//minictr:vm\n"}, true, ""},
	} {
		dir := fstest.MapFS{}
		for name, text := range test.files {
			dir[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if wants, run, err := readDirectives(dir); wants != test.wants || run != test.run || err != nil {
			t.Errorf("%q: %v %q %v", test.files, wants, run, err)
		}
	}
}

func TestCommandSurvivesQuoting(t *testing.T) {
	m := Machine{Command: []string{"printf", "%s\n", "it's", "$HOME *", ""}, Env: []string{"A=b 'c'"}}
	out, err := exec.Command("sh", "-c", m.commandScript()).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "it's\n$HOME *\n\n"; string(out) != want {
		t.Errorf("the script printed %q, want %q", out, want)
	}
}
