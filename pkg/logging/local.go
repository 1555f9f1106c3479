package logging

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"time"
)

// The driver local writes what docker's does: binary entries, smaller and
// quicker than JSON. Each is a protocol buffers message
//
//	message LogEntry {
//		string source = 1;              // the stream
//		int64 time_nano = 2;
//		bytes line = 3;                 // without its newline
//		bool partial = 4;               // it goes on in the next entry
//	}
//
// between two copies of its length, four bytes each, the highest first: so the
// file can be read from both ends.

// frame is the size of one of the lengths.
const frame = 4

// maxRecord is more than an entry can have: a greater length is damage.
const maxRecord = maxLine + 1<<10

// Tags of the message's fields: number<<3 | wire type (0 varint, 2 bytes).
const (
	tagSource  = 1<<3 | 2
	tagTime    = 2 << 3
	tagLine    = 3<<3 | 2
	tagPartial = 4 << 3
)

// appendRecord appends one entry.
func appendRecord(b, line []byte, stream string, when time.Time) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = append(b, tagSource, byte(len(stream)))
	b = append(b, stream...)
	b = binary.AppendUvarint(append(b, tagTime), uint64(when.UnixNano()))
	text, whole := chomp(line)
	b = binary.AppendUvarint(append(b, tagLine), uint64(len(text)))
	b = append(b, text...)
	if !whole {
		b = append(b, tagPartial, 1)
	}
	size := uint32(len(b) - start - frame)
	binary.BigEndian.PutUint32(b[start:], size)
	return binary.BigEndian.AppendUint32(b, size)
}

// chomp takes a line's newline away; whole says that it had one.
func chomp(line []byte) (text []byte, whole bool) {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		return line[:n-1], true
	}
	return line, false
}

// errDamaged is a file that holds something else than entries.
var errDamaged = errors.New("the container's log is damaged")

// splitRecord cuts the first entry off data. Without a whole one, entry is nil.
func splitRecord(data []byte) (entry, rest []byte, err error) {
	if len(data) < frame {
		return nil, data, nil
	}
	size := int(binary.BigEndian.Uint32(data))
	if size > maxRecord {
		return nil, nil, errDamaged
	}
	if len(data) < size+2*frame {
		return nil, data, nil
	}
	if int(binary.BigEndian.Uint32(data[frame+size:])) != size {
		return nil, nil, errDamaged
	}
	return data[frame : frame+size], data[size+2*frame:], nil
}

// parseRecord reads an entry. Fields that it does not know are passed over.
func parseRecord(b []byte) (m Message, ok bool) {
	whole := true
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return m, false
		}
		b = b[n:]
		value, n := binary.Uvarint(b)
		if n <= 0 || tag&7 != 0 && tag&7 != 2 {
			return m, false
		}
		b = b[n:]
		var field []byte
		if tag&7 == 2 {
			if value > uint64(len(b)) {
				return m, false
			}
			field, b = b[:value], b[value:]
		}
		switch tag {
		case tagSource:
			m.Stream = string(field)
		case tagTime:
			m.Time = time.Unix(0, int64(value)).UTC()
		case tagLine:
			m.Text = string(field)
		case tagPartial:
			whole = value == 0
		}
	}
	if whole {
		m.Text += "\n"
	}
	return m, m.Stream != ""
}

// seekRecords moves to where the last n entries of f begin, or to its
// beginning if there are fewer, and returns how many there are.
func seekRecords(f *os.File, n int) (found int, err error) {
	pos, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	var length [frame]byte
	for found < n && pos >= 2*frame {
		if _, err := f.ReadAt(length[:], pos-frame); err != nil {
			return 0, err
		}
		size := int64(binary.BigEndian.Uint32(length[:]))
		if size > maxRecord || pos < size+2*frame { // an entry that is just being written, or damage
			break
		}
		pos -= size + 2*frame
		found++
	}
	if found < n && pos > 0 {
		pos = 0
	}
	_, err = f.Seek(pos, io.SeekStart)
	return found, err
}
