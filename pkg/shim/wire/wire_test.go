package wire

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestMessagesArriveAsTheyWereSent(t *testing.T) {
	var buf bytes.Buffer
	sent := []struct {
		t       Type
		message any
		into    func() any
	}{
		{Start, &StartRequest{Streams: Streams{Stdin: true}, Width: 80, Explain: true, Fault: &Fault{Step: "x", Kill: true}}, func() any { return new(StartRequest) }},
		{Exited, &Exit{Code: 137, OOMKilled: true, Error: "why"}, func() any { return new(Exit) }},
		{Failed, &Failure{Step: "process.exec", Message: "no\nsuch \"program\"", Code: 127}, func() any { return new(Failure) }},
		{Credit, ptr(uint32(1 << 31)), func() any { return new(uint32) }},
		{Lost, ptr(uint64(1 << 63)), func() any { return new(uint64) }},
	}
	for _, m := range sent {
		message := m.message
		switch n := message.(type) {
		case *uint32:
			message = *n
		case *uint64:
			message = *n
		}
		if err := Write(&buf, m.t, message); err != nil {
			t.Fatal(err)
		}
	}
	r := NewReader(iotest.OneByteReader(&buf))
	for _, m := range sent {
		typ, payload, err := r.Next()
		if err != nil || typ != m.t {
			t.Fatalf("%q, %v; want %q", typ, err, m.t)
		}
		got := m.into()
		if err := Decode(payload, got); err != nil || !reflect.DeepEqual(got, m.message) {
			t.Errorf("%+v, %v; want %+v", got, err, m.message)
		}
	}
	if _, _, err := r.Next(); err != io.EOF {
		t.Error(err)
	}
}

func ptr[T any](v T) *T { return &v }

func TestAPieceBecomesAFrameWithoutBeingCopied(t *testing.T) {
	p := NewBuffer()
	n := copy(p.Room(), "hello")
	frame := p.Frame(Stdout, n)
	if &frame[HeaderLen] != &p.Room()[0] {
		t.Error("it was copied")
	}
	typ, payload, err := NewReader(bytes.NewReader(frame)).Next()
	if typ != Stdout || string(payload) != "hello" || err != nil {
		t.Errorf("%q %q %v", typ, payload, err)
	}
	if len(p.Room()) != Piece {
		t.Error(len(p.Room()))
	}
}

func TestBrokenFramesAreErrors(t *testing.T) {
	for in, want := range map[string]error{
		"":                          io.EOF,
		"o":                         io.ErrUnexpectedEOF,
		"o\x00\x00\x00\x05":         io.ErrUnexpectedEOF,
		"o\x00\x00\x00\x05abc":      io.ErrUnexpectedEOF,
		"o\xff\xff\xff\xffabcdefgh": nil, // some error
	} {
		_, _, err := NewReader(strings.NewReader(in)).Next()
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
}

func TestNumbersOfTheWrongLengthAreErrors(t *testing.T) {
	if Decode([]byte{1, 2, 3}, new(uint32)) == nil || Decode([]byte{1, 2, 3, 4}, new(uint64)) == nil {
		t.Error("accepted")
	}
}

func FuzzReaderTakesAnything(f *testing.F) {
	f.Add([]byte("o\x00\x00\x00\x03abcX\x00\x00\x00\x0a{\"code\":0}"))
	f.Add([]byte("\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b))
		read := 0
		for {
			typ, payload, err := r.Next()
			if err != nil {
				break
			}
			if len(b) <= read || Type(b[read]) != typ {
				t.Fatalf("a frame of type %q at byte %d", typ, read)
			}
			read += HeaderLen + len(payload)
			_ = Decode(payload, new(StartRequest))
			_ = Decode(payload, new(Exit))
		}
		if read > len(b) {
			t.Fatalf("%d bytes read of %d", read, len(b))
		}
	})
}
