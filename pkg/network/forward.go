package network

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/network/nft"
	"minictr/pkg/step"
)

// ForwardChain is a chain of somebody else's that drops what it does not know:
// docker, ufw and firewalld each have one. What our own chain accepts does not
// help there, for a packet must be accepted by all chains of a hook.
type ForwardChain struct {
	Family uint8  `json:"family"`
	Table  string `json:"table"`
	Chain  string `json:"chain"`
}

// LegacyBlock is the old filter table, where its chain FORWARD drops what it
// does not know and has no rules of ours yet.
type LegacyBlock struct {
	Drops   bool   `json:"drops"`
	Restore string `json:"restore,omitempty"` // the program that can change it, if there is one
}

func (c ForwardChain) chain() nft.Chain {
	return nft.Chain{Table: nft.Table{Family: c.Family, Name: c.Table}, Name: c.Chain}
}

func (c ForwardChain) String() string { return fmt.Sprintf("%s %s", c.chain().Table, c.Chain) }

// Forward puts two rules in front of every foreign chain that would drop our
// packets: the bridge's are to pass. They carry the name of our table as a
// comment, by which they are found again; the undo of Bridge removes them with
// the last container. What may come in at all is still decided by our own
// forward chain (see NAT).
func Forward(ep *Endpoint) step.Step {
	forward := step.Step{
		Name:  "network.forward",
		Topic: book.Networking,
		Why:   "Another firewall on this host drops packets that it does not know, and a packet needs the consent of all: ours are let pass in its chain too.",
		Side:  step.Host,
		Calls: ep.forwardCalls(),
		Rule:  "the rules are shared: the undo of network.bridge removes them with the last container",
	}
	if ep.Legacy.Restore != "" {
		forward.Program = ep.legacyProgram(ep.Legacy.Restore, ep.legacyRules("-I", 1, 1))
	}
	return forward
}

func (ep *Endpoint) forwardCalls() []kernel.Call {
	if len(ep.Blocking) == 0 {
		return nil
	}
	s := kernel.FD(filterSocket)
	calls := []kernel.Call{kernel.NetlinkSocket(kernel.NetlinkNetfilter).Into(filterSocket)}
	for _, c := range ep.Blocking {
		b := new(nft.Batch)
		b.InsertRule(c.chain(), ep.Table, nft.OifName(ep.Bridge), nft.Counter(), nft.Accept())
		b.InsertRule(c.chain(), ep.Table, nft.IifName(ep.Bridge), nft.Counter(), nft.Accept())
		insert := b.Calls(s)
		insert[1] = insert[1].Allowing(unix.ENOENT) // gone since: it drops nothing any more
		calls = append(calls, insert...)
	}
	return append(calls, kernel.Close(s))
}

// blocked reports whether Forward has something to do.
func (ep *Endpoint) blocked() bool { return len(ep.Blocking) > 0 || ep.Legacy.Restore != "" }

// Notice is what a user should be told about the endpoint's effect on other
// firewalls, or "".
func (ep *Endpoint) Notice() string {
	var names []string
	for _, c := range ep.Blocking {
		names = append(names, "nftables chain "+c.String())
	}
	switch {
	case ep.Legacy.Drops && ep.Legacy.Restore == "":
		return fmt.Sprintf("this host's legacy iptables drop forwarded packets and iptables-legacy-restore is not there to change that: %s reaches nobody outside of this host; "+
			"try: iptables -I FORWARD -i %[1]s -j ACCEPT; iptables -I FORWARD -o %[1]s -j ACCEPT", ep.Bridge)
	case ep.Legacy.Restore != "":
		names = append(names, "legacy iptables chain FORWARD")
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("this host's firewall drops forwarded packets (%s): letting those of %s pass while containers run",
		strings.Join(names, ", "), ep.Bridge)
}

// blocking finds the chains that Forward has to put its rules into, and notes
// them in a file, for removing. The caller holds the lock.
func (n *Network) blocking() ([]ForwardChain, error) {
	found, err := droppingChains(n.Table)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(c ForwardChain) bool {
		tagged, terr := n.tagged(c)
		err = errors.Join(err, terr)
		return len(tagged) == 2
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	noted, err := n.noted()
	if err != nil {
		return nil, err
	}
	lines := ""
	for _, c := range append(noted, found...) {
		lines += fmt.Sprintf("%d %s %s\n", c.Family, c.Table, c.Chain)
	}
	if err := os.WriteFile(n.notePath(), []byte(lines), 0o644); err != nil {
		return nil, fmt.Errorf("note the firewall's chains: %w", err)
	}
	return found, nil
}

// legacyBlock is blocking for the old table.
func (n *Network) legacyBlock() (LegacyBlock, error) {
	f, err := n.readLegacy()
	if err != nil || !f.drops || f.in > 0 && f.from > 0 {
		return LegacyBlock{}, err
	}
	return LegacyBlock{Drops: true, Restore: legacyRestore()}, nil
}

// droppingChains lists the base chains of the forward hook, other than those of
// our own table, that drop what they do not know: by policy, or by a last rule.
// Where docker keeps a chain for the administrator's rules, that is the place
// for ours, as docker puts its own rules before all others.
func droppingChains(own string) ([]ForwardChain, error) {
	chains, err := nft.Chains()
	if err != nil {
		return nil, err
	}
	var found []ForwardChain
	for _, c := range chains {
		ipv4 := c.Table.Family == unix.NFPROTO_IPV4 || c.Table.Family == unix.NFPROTO_INET
		if !c.Base || !ipv4 || c.Hook != nft.Forward || c.Type != "filter" || c.Table.Name == own {
			continue
		}
		drops := c.Drops
		if !drops {
			rules, err := nft.Rules(c.Chain)
			if err != nil {
				return nil, err
			}
			drops = len(rules) > 0 && rules[len(rules)-1].Refuses
		}
		if !drops {
			continue
		}
		name := c.Name
		if slices.ContainsFunc(chains, func(d nft.ChainInfo) bool { return d.Table == c.Table && d.Name == dockerUser }) {
			name = dockerUser
		}
		found = append(found, ForwardChain{c.Table.Family, c.Table.Name, name})
	}
	return found, nil
}

const dockerUser = "DOCKER-USER"

// tagged lists the handles of our rules in a foreign chain.
func (n *Network) tagged(c ForwardChain) ([]uint64, error) {
	rules, err := nft.Rules(c.chain())
	if err != nil {
		return nil, err
	}
	var handles []uint64
	for _, r := range rules {
		if r.Comment == n.Table {
			handles = append(handles, r.Handle)
		}
	}
	return handles, nil
}

func (n *Network) notePath() string { return filepath.Join(n.State, "forward") }

// noted reads which chains we have put rules into.
func (n *Network) noted() ([]ForwardChain, error) {
	b, err := os.ReadFile(n.notePath())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read which firewall chains were changed: %w", err)
	}
	var all []ForwardChain
	for line := range strings.Lines(string(b)) {
		var c ForwardChain
		if _, err := fmt.Sscan(line, &c.Family, &c.Table, &c.Chain); err == nil && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all, nil
}

// unforward removes our rules from the chains noted. A rule that somebody
// removes at the same moment is as good as removed by us.
func (n *Network) unforward(do step.Do) error {
	noted, err := n.noted()
	if err != nil || len(noted) == 0 {
		return err
	}
	var errs []error
	for _, c := range noted {
		handles, err := n.tagged(c)
		errs = append(errs, err)
		b := new(nft.Batch)
		for _, h := range handles {
			b.DeleteRule(c.chain(), h)
		}
		if b.Empty() {
			continue
		}
		calls := b.Calls(kernel.FD(filterSocket))
		calls[1] = calls[1].Allowing(unix.ENOENT)
		errs = append(errs, doOn(do, kernel.NetlinkNetfilter, filterSocket, calls))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := os.Remove(n.notePath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget the firewall's chains: %w", err)
	}
	return nil
}
