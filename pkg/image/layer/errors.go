package layer

import (
	"errors"
	"fmt"

	"minictr/pkg/image/digest"
)

// ErrDigest marks content that is not what its digest promised.
var ErrDigest = errors.New("digest does not match")

// DigestError says which content is wrong. It is an ErrDigest.
type DigestError struct {
	What      string // "layer", "config", "manifest", …
	Want, Got digest.Digest
	Cause     error // what reading the wrong content led to, if anything
}

func (e *DigestError) Error() string {
	s := fmt.Sprintf("%s: %v: promised %s, got %s", e.What, ErrDigest, e.Want, e.Got)
	if e.Cause != nil {
		s += fmt.Sprintf(" (%v)", e.Cause)
	}
	return s
}

// Is makes errors.Is(err, ErrDigest) true.
func (e *DigestError) Is(target error) bool { return target == ErrDigest }

func (e *DigestError) Unwrap() error { return e.Cause }

// Verify compares content's digest with the promised one; an empty promise
// accepts anything.
func Verify(what string, want, got digest.Digest) error {
	if want == "" || want == got {
		return nil
	}
	return &DigestError{What: what, Want: want, Got: got}
}
