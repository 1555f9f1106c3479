package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

// Digest names content: an algorithm, a colon, and the hash as that algorithm
// has it written. Digests are comparable; the empty one promises nothing.
//
// One that came from elsewhere is a mere string until Validate has seen it.
type Digest string

// Algorithm is a hash function, by its name in the specification.
type Algorithm string

// SHA256 is written as 64 hex digits, the letters in lower case.
const SHA256 Algorithm = "sha256"

// FromBytes is the digest of p.
func FromBytes(p []byte) Digest {
	sum := sha256.Sum256(p)
	return NewDigestFromEncoded(SHA256, hex.EncodeToString(sum[:]))
}

// FromString is the digest of s.
func FromString(s string) Digest { return FromBytes([]byte(s)) }

// NewDigest is the digest of what was written to h, a hash of algorithm alg.
func NewDigest(alg Algorithm, h hash.Hash) Digest {
	return NewDigestFromEncoded(alg, hex.EncodeToString(h.Sum(nil)))
}

// NewDigestFromEncoded puts a digest together and does not look at its parts.
func NewDigestFromEncoded(alg Algorithm, encoded string) Digest {
	return Digest(string(alg) + ":" + encoded)
}

// shown is how many characters of a wrong digest an error quotes: whoever wrote
// the document may have put anything there. A SHA-512 is shown whole.
const shown = 140

// Validate returns an error unless d is sha256: and 64 hex digits. After that,
// Encoded is safe as the name of a file.
func (d Digest) Validate() error {
	const size = 2 * sha256.Size // in hex
	alg, encoded, found := strings.Cut(string(d), ":")
	switch {
	case !found || alg == "" || encoded == "":
		return fmt.Errorf("%.*q is no digest: want sha256: and %d hex digits", shown, string(d), size)
	case Algorithm(alg) != SHA256:
		return fmt.Errorf("digest %.*q: algorithm %.*q is not supported, only sha256 is", shown, string(d), shown, alg)
	case len(encoded) != size:
		return fmt.Errorf("digest %.*q: want %d hex digits after the colon, not %d characters", shown, string(d), size, len(encoded))
	}
	for _, c := range encoded {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return fmt.Errorf("digest %.*q: %q is not one of 0-9 and a-f", shown, string(d), c)
		}
	}
	return nil
}

// Encoded is what follows the colon: of a valid digest, the hex digits. It
// panics if there is no colon, for then nobody has called Validate.
func (d Digest) Encoded() string {
	_, encoded, found := strings.Cut(string(d), ":")
	if !found {
		panic(fmt.Sprintf("no ':' in digest %q", string(d)))
	}
	return encoded
}

func (d Digest) String() string { return string(d) }
