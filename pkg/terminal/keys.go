package terminal

import (
	"fmt"
	"strings"
)

// DefaultDetachKeys is what a user types to leave a container running.
const DefaultDetachKeys = "ctrl-p,ctrl-q"

// ParseKeys reads a key sequence in docker's notation, keys separated by
// commas: a single character, or ctrl- with a letter or one of @ [ \ ] ^ _.
// The empty sequence is no sequence: nothing detaches.
func ParseKeys(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	var keys []byte
	for _, key := range strings.Split(s, ",") {
		k, err := parseKey(key)
		if err != nil {
			return nil, fmt.Errorf("detach keys %q: %w", s, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func parseKey(key string) (byte, error) {
	if len(key) == 1 {
		return key[0], nil
	}
	c, ok := strings.CutPrefix(strings.ToLower(key), "ctrl-")
	if ok && len(c) == 1 && (c[0] >= 'a' && c[0] <= 'z' || strings.ContainsAny(c, `@[\]^_`)) {
		return c[0] & 0x1f, nil // the control key clears bits 5 to 7, in ASCII's own design
	}
	return 0, fmt.Errorf(`%q is no key: want one character, or ctrl- and one of a-z @ [ \ ] ^ _`, key)
}

// Keys looks for a key sequence in what is typed. Keys that may be the
// sequence's beginning are held back until the next ones tell.
type Keys struct {
	sequence []byte
	held     int // the sequence's first keys that have been typed
}

// NewKeys looks for sequence; an empty one is never found.
func NewKeys(sequence []byte) *Keys { return &Keys{sequence: sequence} }

// Filter takes what was typed and returns what is to be passed on, and whether
// the sequence is complete; what was typed behind it is dropped.
func (k *Keys) Filter(typed []byte) (pass []byte, found bool) {
	if len(k.sequence) == 0 {
		return typed, false
	}
	pass = make([]byte, 0, len(typed)+k.held)
	for _, c := range typed {
		for k.held > 0 && c != k.sequence[k.held] {
			pass = k.shift(pass)
		}
		if c != k.sequence[k.held] {
			pass = append(pass, c)
			continue
		}
		if k.held++; k.held == len(k.sequence) {
			k.held = 0
			return pass, true
		}
	}
	return pass, false
}

// shift passes on as many of the held keys as cannot be the sequence's
// beginning any more. Of Ctrl-P Ctrl-P the second may still be one.
func (k *Keys) shift(pass []byte) []byte {
	held := k.sequence[:k.held]
	for n := 1; ; n++ {
		if rest := held[n:]; strings.HasPrefix(string(k.sequence), string(rest)) {
			k.held = len(rest)
			return append(pass, held[:n]...)
		}
	}
}

// Flush returns the keys that are held back, when nothing more will be typed.
func (k *Keys) Flush() []byte {
	held := k.sequence[:k.held]
	k.held = 0
	return held
}
