package logging

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// batch is how many encoded bytes are collected for one write.
const batch = 64 << 10

// files is the sink of json-file and local: a file that grows, and old ones.
type files struct {
	config  Config
	file    *os.File
	size    int64
	buf     []byte // encoded lines on their way into the file
	entries int    // how many they are
	lost    losses
	encode  func(b, line []byte, stream string, when time.Time) []byte

	packing sync.WaitGroup // an old file is being compressed
}

func openFiles(c Config) (*files, error) {
	f := &files{config: c}
	if c.Driver == "local" {
		f.encode = appendRecord
		if err := os.MkdirAll(filepath.Dir(c.Path), 0o700); err != nil {
			return nil, fmt.Errorf("open the container's log: %w", err)
		}
	} else {
		encode, err := jsonEncoder(c)
		if err != nil {
			return nil, err
		}
		f.encode = encode
	}
	return f, f.open()
}

// jsonEncoder is appendEntry for lines with the same attributes, most of which
// come at the same moment as the line before them.
func jsonEncoder(c Config) (func(b, line []byte, stream string, when time.Time) []byte, error) {
	attrs := c.Attrs
	if c.Tag != "" {
		attrs = map[string]string{"tag": c.Tag}
		for k, v := range c.Attrs {
			attrs[k] = v
		}
	}
	var raw []byte
	if len(attrs) > 0 {
		var err error
		if raw, err = json.Marshal(attrs); err != nil {
			return nil, fmt.Errorf("encode the log's attributes: %w", err)
		}
	}
	var last time.Time
	var text []byte
	return func(b, line []byte, stream string, when time.Time) []byte {
		if text == nil || !when.Equal(last) {
			last, text = when, appendTime(text[:0], when)
		}
		return appendEntry(b, line, stream, raw, text)
	}, nil
}

func (f *files) open() error {
	file, err := os.OpenFile(f.config.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("open the container's log: %w", err)
	}
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		file.Close()
		return fmt.Errorf("find the end of the container's log: %w", err)
	}
	f.file, f.size = file, end
	return nil
}

func (f *files) add(line []byte, stream string, when time.Time) {
	if f.buf == nil {
		f.buf = make([]byte, 0, batch+2*maxLine) // which it need not outgrow: memory counts when it is written to
	}
	f.buf = f.encode(f.buf, line, stream, when)
	f.entries++
	full := f.config.MaxSize > 0 && f.size+int64(len(f.buf)) >= f.config.MaxSize
	if full || len(f.buf) >= batch {
		f.flush()
	}
}

// flush writes the collected lines with one call. A file ends with a whole
// line: what was written of lines that did not fit is cut off again.
func (f *files) flush() {
	if len(f.buf) == 0 {
		return
	}
	if f.config.MaxSize > 0 && f.size >= f.config.MaxSize {
		if err := f.rotate(); err != nil {
			f.fail(err)
			return
		}
	}
	n, err := f.file.Write(f.buf)
	if err != nil {
		if n > 0 {
			err = errors.Join(err, f.file.Truncate(f.size))
		}
		f.fail(err)
		return
	}
	f.size += int64(n)
	f.buf, f.entries = f.buf[:0], 0
}

func (f *files) fail(err error) {
	f.lost.add(f.entries, err)
	f.buf, f.entries = f.buf[:0], 0
}

// rotate starts a new file and keeps MaxFile-1 of the old ones.
func (f *files) rotate() error {
	f.packing.Wait() // the files move: nobody may be at work on one
	if err := f.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	path, n := f.config.Path, max(f.config.MaxFile, 1)
	for i := n - 1; i > 0; i-- {
		if err := shift(path, i); err != nil {
			return errors.Join(err, f.open())
		}
	}
	if n == 1 {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return errors.Join(err, f.open())
		}
	}
	if f.config.Compress && n > 1 {
		f.packing.Go(func() { _ = pack(path) }) // if it cannot be, the file stays as it is
	}
	return f.open()
}

// shift makes file number i of what was number i-1. A file that was number i
// must not stay under the other of its two names.
func shift(path string, i int) error {
	names := [][2]string{{old(path, i-1), old(path, i)}}
	if i > 1 {
		names = append(names, [2]string{packed(path, i-1), packed(path, i)})
	}
	for _, name := range []string{old(path, i), packed(path, i)} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for _, n := range names {
		if err := os.Rename(n[0], n[1]); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// pack compresses the newest of the old files. The result says which inode it
// was, by which those who are reading the file know it again (see same).
func pack(path string) error {
	in, err := os.Open(old(path, 1))
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	temporary := packed(path, 1) + ".new"
	out, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	w, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err == nil {
		w.Comment = inode(info)
		_, err = io.Copy(w, in)
		err = errors.Join(err, w.Close())
	}
	err = errors.Join(err, out.Close())
	if err == nil {
		err = os.Rename(temporary, packed(path, 1))
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return os.Remove(old(path, 1))
}

// inode is a file's number, in digits.
func inode(info os.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return strconv.FormatUint(st.Ino, 10)
}

func (f *files) close() error {
	f.packing.Wait()
	return f.lost.report(f.file.Close())
}
