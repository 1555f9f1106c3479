package network

import (
	"os/exec"
	"strings"
	"testing"
)

// The firewalls that trainees have, as they stand before a container comes.
var firewalls = map[string]string{
	"docker": `table ip filter {
		chain DOCKER-USER { counter return; }
		chain DOCKER { }
		chain FORWARD { type filter hook forward priority filter; policy drop;
			counter jump DOCKER-USER
			oifname "docker0" ct state established,related counter accept
			oifname "docker0" counter jump DOCKER
			iifname "docker0" oifname != "docker0" counter accept } }`,
	"ufw": `table ip filter {
		chain ufw-before-forward { ct state established,related counter accept; }
		chain FORWARD { type filter hook forward priority filter; policy drop; counter jump ufw-before-forward; } }`,
	"firewalld": `table inet firewalld {
		chain filter_FORWARD { type filter hook forward priority filter + 10; policy accept;
			ct state established,related accept
			ct status dnat accept
			iifname "lo" accept
			ct state invalid drop
			reject with icmpx admin-prohibited } }`,
	"two of them": `table ip filter { chain FORWARD { type filter hook forward priority filter; policy drop; } }
		table inet mine { chain wall { type filter hook forward priority 5; counter drop; } }`,
}

func TestContainersGetThroughForeignFirewalls(t *testing.T) {
	for name, rules := range firewalls {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.nft(rules)
			before := h.command("nft", "list", "ruleset")
			n := h.newNode("uplink", "198.51.100.1/24", "198.51.100.2/24")
			n.do(func() {
				if err := answer(":99"); err != nil {
					t.Error(err)
				}
			})
			ep := h.connect("web", "8080:80")
			if ep.Notice() == "" {
				t.Error("the firewall goes without notice")
			}
			c := h.start(ep)
			h.inside(c, func() { wantSeen(t, "tcp4", "198.51.100.2:99", "198.51.100.1") })
			n.do(func() { wantSeen(t, "tcp4", "198.51.100.1:8080", "198.51.100.2") })

			second := h.connect("second")
			if len(second.Blocking) > 0 {
				t.Errorf("rules would be put in again: %v", second.Blocking)
			}
			if err := Disconnect(h.runDir, second); err != nil {
				t.Error(err)
			}
			c.stop(h)
			h.wantClean()
			if after := h.command("nft", "list", "ruleset"); counters(after) != counters(before) {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

// Without the step the firewalls do what they are for: the test above shows
// something.
func TestForeignFirewallsDropWhatIsNotLetPass(t *testing.T) {
	for name, rules := range firewalls {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.nft(rules)
			n := h.newNode("uplink", "198.51.100.1/24", "198.51.100.2/24")
			n.do(func() {
				if err := answer(":99"); err != nil {
					t.Error(err)
				}
			})
			ep := h.connect("web")
			ep.Blocking = nil
			c := h.start(ep)
			h.inside(c, func() { wantUnreachable(t, "tcp4", "198.51.100.2:99") })
			c.stop(h)
		})
	}
}

func TestFriendlyFirewallsAreLeftAlone(t *testing.T) {
	h := newHost(t)
	h.nft(`table ip filter { chain FORWARD { type filter hook forward priority filter; policy accept; ip saddr 203.0.113.9 drop; } }
		table ip6 filter { chain FORWARD { type filter hook forward priority filter; policy drop; } }
		table inet in { chain in { type filter hook input priority filter; policy drop; ct state established,related accept; iifname "lo" accept; } }`)
	if ep := h.connect("web"); len(ep.Blocking) > 0 || ep.Notice() != "" {
		t.Errorf("would change %v", ep.Blocking)
	}
}

func TestIptablesStillReadsItsChain(t *testing.T) {
	if _, err := exec.LookPath("iptables-nft"); err != nil {
		t.Skip("needs iptables-nft: ", err)
	}
	h := newHost(t)
	h.command("iptables-nft", "-P", "FORWARD", "DROP")
	h.command("iptables-nft", "-A", "FORWARD", "-i", "docker0", "-j", "ACCEPT")
	c := h.start(h.connect("one"))
	got := h.command("iptables-nft", "-S", "FORWARD")
	for _, want := range []string{"-P FORWARD DROP", "-A FORWARD -i " + c.Bridge + " -m comment --comment " + c.Table + " -j ACCEPT", "-A FORWARD -o " + c.Bridge + " -m comment", "-A FORWARD -i docker0 -j ACCEPT"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	c.stop(h)
	if got := h.command("iptables-nft", "-S", "FORWARD"); strings.Contains(got, "minictr") {
		t.Errorf("left:\n%s", got)
	}
}

func TestContainersGetThroughLegacyIptables(t *testing.T) {
	if _, err := exec.LookPath("iptables-legacy"); err != nil {
		t.Skip("needs iptables-legacy: ", err)
	}
	h := newHost(t)
	h.command("iptables-legacy", "-P", "FORWARD", "DROP")
	h.command("iptables-legacy", "-A", "FORWARD", "-i", "docker0", "-m", "comment", "--comment", "theirs", "-j", "ACCEPT")
	before := h.command("iptables-legacy-save")
	n := h.newNode("uplink", "198.51.100.1/24", "198.51.100.2/24")
	n.do(func() {
		if err := answer(":99"); err != nil {
			t.Error(err)
		}
	})
	first, second := h.connect("web", "8080:80"), h.connect("at once")
	if !strings.Contains(first.Notice(), "legacy iptables") {
		t.Errorf("notice: %q", first.Notice())
	}
	c, d := h.start(first), h.start(second)
	h.inside(c, func() { wantSeen(t, "tcp4", "198.51.100.2:99", "198.51.100.1") })
	n.do(func() { wantSeen(t, "tcp4", "198.51.100.1:8080", "198.51.100.2") })
	third := h.connect("third")
	if third.blocked() {
		t.Error("rules would be put in again")
	}
	if err := Disconnect(h.runDir, third); err != nil {
		t.Error(err)
	}
	c.stop(h)
	h.inside(d, func() { wantSeen(t, "tcp4", "198.51.100.2:99", "198.51.100.1") })
	d.stop(h)
	h.wantClean()
	if after := h.command("iptables-legacy-save"); rulesOf(after) != rulesOf(before) {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// rulesOf leaves out the times and counters of iptables-save.
func rulesOf(save string) string {
	var rules []string
	for line := range strings.Lines(save) {
		if !strings.HasPrefix(line, "#") {
			rule, _, _ := strings.Cut(line, " [")
			rules = append(rules, strings.TrimSpace(rule))
		}
	}
	return strings.Join(rules, "\n")
}

func FuzzParseLegacy(f *testing.F) {
	f.Add(make([]byte, iptInfoLen), make([]byte, 4*iptEntryLen))
	f.Fuzz(func(t *testing.T, info, entries []byte) {
		if got := parseLegacy(info, entries, "minictr"); got.in+got.from > len(entries)/iptEntryLen {
			t.Errorf("%+v in %d bytes", got, len(entries))
		}
	})
}

func (h *host) nft(script string) {
	h.Helper()
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(script, "}", "\n}\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		h.Fatalf("%v\n%s", err, out)
	}
}

// counters blots out what counters say.
func counters(ruleset string) string {
	fields := strings.Fields(ruleset)
	for i := range fields {
		if i > 0 && (fields[i-1] == "packets" || fields[i-1] == "bytes") {
			fields[i] = "-"
		}
	}
	return strings.Join(fields, " ")
}
