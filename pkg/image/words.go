package image

import (
	"errors"
	"fmt"
	"strings"
)

// pairs reads KEY=VALUE …, where values may be quoted, or the old form KEY VALUE.
func (c *Settings) pairs(args string, set func(k, v string)) error {
	list, err := c.words(args)
	if err != nil {
		return err
	}
	if !strings.Contains(list[0], "=") {
		key, value, found := strings.Cut(args, " ")
		if !found {
			return fmt.Errorf("%q has no value", args)
		}
		if value, err = c.value(strings.TrimSpace(value)); err == nil {
			set(key, value)
		}
		return err
	}
	for _, w := range list {
		key, value, found := strings.Cut(w, "=")
		if !found || key == "" {
			return fmt.Errorf("%q is not KEY=VALUE", w)
		}
		set(key, value)
	}
	return nil
}

// words splits as a shell would: quotes and backslashes keep what they stand
// around or in front of, and variables are filled in.
func (c *Settings) words(s string) ([]string, error) { return split(s, " \t", c.lookup) }

// value is words for what is one word, spaces included.
func (c *Settings) value(s string) (string, error) {
	list, err := split(s, "", c.lookup)
	return strings.Join(list, ""), err
}

// lookup is the value of one of the image's variables.
func (c *Settings) lookup(name string) string {
	for _, kv := range c.Env {
		if key, value, _ := strings.Cut(kv, "="); key == name {
			return value
		}
	}
	return ""
}

func split(s, spaces string, lookup func(string) string) ([]string, error) {
	var list []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	escaped := false
	for i := 0; i < len(s); i++ {
		b := s[i]
		switch {
		case escaped:
			word.WriteByte(b)
			escaped = false
		case b == '\\' && quote != '\'':
			inWord, escaped = true, true
		case b == '$' && quote != '\'':
			value, n := variable(s[i:], lookup)
			word.WriteString(value)
			inWord, i = true, i+n-1
		case quote != 0 && b == quote:
			quote = 0
		case quote == 0 && (b == '"' || b == '\''):
			inWord, quote = true, b
		case quote == 0 && strings.IndexByte(spaces, b) >= 0:
			if inWord {
				list = append(list, word.String())
				word.Reset()
			}
			inWord = false
		default:
			inWord = true
			word.WriteByte(b)
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quote or backslash has no end")
	}
	if inWord {
		list = append(list, word.String())
	}
	if len(list) == 0 {
		return nil, errors.New("nothing follows the instruction")
	}
	return list, nil
}

// variable is the value of the one that s begins with, and how long its name is
// there: $NAME, ${NAME}, ${NAME:-what if it is empty}, ${NAME:+what if not}. A
// dollar without a name is a dollar.
func variable(s string, lookup func(string) string) (string, int) {
	if !strings.HasPrefix(s, "${") {
		n := 1
		for n < len(s) && (s[n] == '_' || '0' <= s[n] && s[n] <= '9' || 'a' <= s[n]|0x20 && s[n]|0x20 <= 'z') {
			n++
		}
		if n == 1 {
			return "$", 1
		}
		return lookup(s[1:n]), n
	}
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return "$", 1
	}
	name, other, _ := strings.Cut(s[2:end], ":")
	value := lookup(name)
	switch {
	case strings.HasPrefix(other, "-") && value == "", strings.HasPrefix(other, "+") && value != "":
		value = other[1:]
	}
	return value, end + 1
}
