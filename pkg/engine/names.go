package engine

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// newID is 64 random hex digits. The 12 that people see are never all decimal:
// they become the hostname, and a hostname of digits looks like an address.
func newID() string {
	for {
		var b [32]byte
		// crypto/rand has the vDSO work, which wants memory set up: too much for 32 bytes.
		if n, err := unix.Getrandom(b[:], 0); n != len(b) || err != nil {
			_, _ = rand.Read(b[:]) // never fails
		}
		id := hex.EncodeToString(b[:])
		if strings.ContainsAny(id[:12], "abcdef") {
			return id
		}
	}
}

// randomName is a name for those who do not care: how it is, and which tool of
// a workshop it is. digits are appended after too many collisions.
func randomName(try int) string {
	name := pick(moods) + "_" + pick(tools)
	if try > 3 {
		var b [2]byte
		_, _ = rand.Read(b[:])
		name += hex.EncodeToString(b[:])
	}
	return name
}

func pick(words []string) string {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return words[binary.NativeEndian.Uint32(b[:])%uint32(len(words))]
}

var moods = []string{
	"agile", "airy", "amber", "bold", "brave", "breezy", "bright", "brisk", "calm", "candid", "cheery", "chilly", "civil",
	"clever", "cosy", "crisp", "curious", "daring", "deft", "eager", "earnest", "easy", "fair", "fancy", "fearless", "festive",
	"fluent", "fond", "frank", "fresh", "frosty", "gentle", "giddy", "glad", "golden", "graceful", "grand", "handy", "happy",
	"hardy", "hearty", "honest", "humble", "jaunty", "jolly", "keen", "kind", "lively", "loyal", "lucid", "lucky", "mellow",
	"merry", "mighty", "mild", "modest", "neat", "nimble", "noble", "patient", "placid", "plucky", "polite", "proud", "quaint",
	"quick", "quiet", "radiant", "rapid", "ready", "rosy", "rustic", "sage", "serene", "sharp", "shiny", "silent", "sleek",
	"smart", "snug", "sober", "solid", "spry", "steady", "stoic", "sturdy", "sunny", "swift", "tactful", "tidy", "tranquil",
	"trusty", "upbeat", "valiant", "vivid", "warm", "wily", "wise", "witty", "zesty",
}

var tools = []string{
	"adze", "anvil", "auger", "awl", "bellows", "bench", "bevel", "bolt", "brace", "brush", "burin", "caliper", "chisel",
	"clamp", "compass", "crank", "crowbar", "cutter", "dowel", "drill", "easel", "file", "forge", "funnel", "gauge", "gimlet",
	"glue", "gouge", "grinder", "hammer", "hatchet", "hinge", "hoist", "hone", "jack", "jig", "joiner", "kiln", "ladder",
	"lathe", "lever", "loom", "mallet", "mandrel", "maul", "mitre", "mould", "nail", "nozzle", "palette", "pestle", "pick",
	"pincer", "pivot", "plane", "pliers", "plumb", "press", "pulley", "punch", "quill", "rasp", "ratchet", "reamer", "rivet",
	"router", "ruler", "sander", "saw", "scale", "scissor", "scraper", "screw", "shears", "shovel", "sickle", "sieve",
	"spanner", "spindle", "spokeshave", "spool", "square", "stapler", "tap", "thimble", "tongs", "trestle", "trowel",
	"tweezer", "vise", "washer", "wedge", "wheel", "winch", "wrench", "yoke",
}

func sortNewestFirst(list []*Container) {
	slices.SortFunc(list, func(a, b *Container) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
}
