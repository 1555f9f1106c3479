package floors

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "minictr"

// pkg is what `go list` tells of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

// list asks the go command for packages and all that they need. Packages that
// do not compile at the moment are listed all the same.
func list(t *testing.T) map[string]pkg {
	t.Helper()
	look(t)
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Imports,Standard", "./...")
	cmd.Dir = "../.."
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list the packages: %v\n%s", err, &complaints)
	}
	all := make(map[string]pkg)
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
}

// look opens every directory of the repository. The go command remembers the
// results of tests; it runs this one again only if something that the test
// itself has looked at has changed, and does not see what `go list` looks at.
func look(t *testing.T) {
	for _, top := range []string{"cmd", "pkg", "rootfs", "scripts"} {
		err := filepath.WalkDir(filepath.Join("../..", top), func(_ string, _ fs.DirEntry, _ error) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
}

// floor is a family of packages and where it lives.
type floor struct {
	family string
	level  int
}

// parseHouse reads the table: a level counts until the next one is named.
func parseHouse(text string) map[string]int {
	levels := make(map[string]int)
	level := -1
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if n, err := strconv.Atoi(words[0]); err == nil {
			level, words = n, words[1:]
		}
		levels[words[0]] = level
	}
	return levels
}

// place finds the family a package belongs to: itself, or what it is beneath.
func place(levels map[string]int, name string) (floor, bool) {
	for at := name; at != "."; at = path.Dir(at) {
		if level, ok := levels[at]; ok {
			return floor{at, level}, true
		}
	}
	return floor{}, false
}

func firstWords(text string, n int) (rows []string) {
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 {
			rows = append(rows, strings.Join(words[:n], " "))
		}
	}
	return rows
}

// check returns what is wrong with packages, by the table.
func check(all map[string]pkg, levels map[string]int, debts []string) (wrong []string) {
	paid := slices.Clone(debts)
	for _, p := range all {
		name, ours := strings.CutPrefix(p.ImportPath, module+"/")
		if !ours {
			continue
		}
		at, ok := place(levels, name)
		if !ok {
			wrong = append(wrong, name+" has no place in the house (house_test.go)")
			continue
		}
		for _, imported := range p.Imports {
			needs, ours := strings.CutPrefix(imported, module+"/")
			if !ours {
				if name == "pkg/book" && !all[imported].Standard {
					wrong = append(wrong, "pkg/book is data only and imports "+imported)
				}
				continue
			}
			to, ok := place(levels, needs)
			debt := name + " " + needs
			switch {
			case needs == "pkg/leak":
				wrong = append(wrong, name+" imports pkg/leak, which is for tests")
			case !ok || to.family == at.family && at.family != "cmd" && at.family != "scripts" || to.level < at.level:
			case slices.Contains(debts, debt):
				paid = slices.DeleteFunc(paid, func(d string) bool { return d == debt })
			default:
				wrong = append(wrong, name+" (floor "+strconv.Itoa(at.level)+") imports "+needs+" (floor "+strconv.Itoa(to.level)+")")
			}
		}
	}
	for _, d := range paid {
		wrong = append(wrong, "a debt is paid and can be struck out: "+d)
	}
	slices.Sort(wrong)
	return wrong
}

// chain finds the shortest way by which a program comes to contain a package.
func chain(all map[string]pkg, program, unwanted string) []string {
	ways := [][]string{{program}}
	seen := map[string]bool{program: true}
	for len(ways) > 0 {
		way := ways[0]
		ways = ways[1:]
		last := way[len(way)-1]
		if last == unwanted || strings.HasPrefix(last, unwanted+"/") {
			return way
		}
		for _, next := range all[last].Imports {
			if !seen[next] {
				seen[next] = true
				ways = append(ways, append(slices.Clone(way), next))
			}
		}
	}
	return nil
}

func TestPackagesImportOnlyFromFloorsBelow(t *testing.T) {
	for _, w := range check(list(t), parseHouse(house), firstWords(debts, 2)) {
		t.Error(w)
	}
}

func TestTheProgramsStartedForEveryContainerStayLight(t *testing.T) {
	all := list(t)
	for program, without := range light {
		for _, unwanted := range firstWords(without, 1) {
			if way := chain(all, module+"/"+program, unwanted); way != nil {
				t.Errorf("too heavy: %s", strings.Join(way, " imports "))
			}
		}
	}
}

// TestTheCheckFindsWhatItLooksFor is for the test itself: a house in which each
// rule is broken once.
func TestTheCheckFindsWhatItLooksFor(t *testing.T) {
	levels := parseHouse("0 pkg/book\n  pkg/kernel what it is\n1 pkg/step\n\n2 pkg/a\n  pkg/b\n  pkg/leak\n6 cmd\n")
	all := map[string]pkg{}
	add := func(name string, imports ...string) {
		for i, im := range imports {
			if strings.HasPrefix(im, "pkg/") || strings.HasPrefix(im, "cmd/") {
				imports[i] = module + "/" + im
			}
		}
		all[module+"/"+name] = pkg{ImportPath: module + "/" + name, Imports: imports}
	}
	all["fmt"] = pkg{ImportPath: "fmt", Standard: true}
	add("pkg/book", "fmt", "golang.org/x/sys/unix")
	add("pkg/kernel", "pkg/step")
	add("pkg/step", "pkg/kernel", "pkg/book")
	add("pkg/a", "pkg/step", "pkg/a/sub", "pkg/b")
	add("pkg/a/sub", "pkg/a/other", "pkg/leak")
	add("pkg/b", "pkg/a/sub")
	add("cmd/one", "pkg/a", "pkg/b/sub", "cmd/two")
	add("pkg/new")
	got := check(all, levels, []string{"pkg/b pkg/a/sub", "pkg/b pkg/step"})
	want := []string{
		"a debt is paid and can be struck out: pkg/b pkg/step",
		"cmd/one (floor 6) imports cmd/two (floor 6)",
		"pkg/a (floor 2) imports pkg/b (floor 2)",
		"pkg/a/sub imports pkg/leak, which is for tests",
		"pkg/book is data only and imports golang.org/x/sys/unix",
		"pkg/kernel (floor 0) imports pkg/step (floor 1)",
		"pkg/new has no place in the house (house_test.go)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	way := chain(all, module+"/cmd/one", module+"/pkg/leak")
	if want := []string{"minictr/cmd/one", "minictr/pkg/a", "minictr/pkg/a/sub", "minictr/pkg/leak"}; !slices.Equal(way, want) {
		t.Errorf("got %q", way)
	}
	if way := chain(all, module+"/cmd/one", "net/http"); way != nil {
		t.Errorf("found %q", way)
	}
}
