package oci

import (
	"encoding/json"
	"strconv"
	"time"
)

// encode writes what json.Marshal would write of a container; a test compares
// the two. encoding/json studies a type before it writes the first value of it,
// which takes longer than all else about these two lines, and a container is
// saved twice while somebody waits.
func (c *Container) encode() ([]byte, error) {
	bundle, err := json.Marshal(c.Bundle) // a plain string has no type to study
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, 512)
	b = append(append(b, `{"id":"`...), c.ID...) // validID lets nothing in that would need a backslash
	b = append(append(b, `","bundle":`...), bundle...)
	b = strconv.AppendInt(append(b, `,"pid":`...), int64(c.PID), 10)
	b = strconv.AppendUint(append(b, `,"pidStart":`...), c.Started, 10)
	b = strconv.AppendInt(append(b, `,"gate":`...), int64(c.Gate), 10)
	b = strconv.AppendBool(append(b, `,"open":`...), c.Open)
	b = c.Created.AppendFormat(append(b, `,"created":"`...), time.RFC3339Nano)
	b = append(b, '"')
	b = appendIf(b, c.Vacant, `,"vacantCgroup":true`)

	o := &c.Options
	inner := appendIf(nil, o.Run, `,"run":true`)
	if o.PreserveFDs != 0 {
		inner = strconv.AppendInt(append(inner, `,"preserveFDs":`...), int64(o.PreserveFDs), 10)
	}
	inner = appendIf(inner, o.NoPivot, `,"noPivot":true`)
	inner = appendIf(inner, o.NoNewKeyring, `,"noNewKeyring":true`)
	inner = appendIf(inner, o.Systemd, `,"systemdCgroup":true`)
	if len(inner) > 0 {
		inner = inner[1:] // its comma
	}
	b = append(append(b, `,"options":{`...), inner...)
	return append(b, '}', '}'), nil
}

func appendIf(b []byte, condition bool, text string) []byte {
	if condition {
		b = append(b, text...)
	}
	return b
}
