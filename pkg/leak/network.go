package leak

import (
	"errors"
	"fmt"
	"net"
)

// links lists the network interfaces of the thread's network namespace, by name.
func (w Watch) links() ([]string, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, link := range all {
		if w.ours(link.Name) {
			found = append(found, link.Name)
		}
	}
	return found, nil
}

// addresses lists what those links answer to.
func (w Watch) addresses() ([]string, error) {
	names, err := w.links()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range names {
		link, err := net.InterfaceByName(name)
		if err != nil { // gone meanwhile
			continue
		}
		addresses, err := link.Addrs()
		if err != nil {
			continue
		}
		for _, address := range addresses {
			found = append(found, fmt.Sprintf("%s on %s", address, name))
		}
	}
	return found, nil
}

// rules lists the ruleset of nftables. A kernel without it, or a user who may not look, has none.
func (w Watch) rules() ([]string, error) {
	all, err := dumpRuleset()
	if errors.Is(err, errNoRuleset) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []string
	for _, rule := range all {
		if w.ours(rule) {
			found = append(found, rule)
		}
	}
	return found, nil
}
