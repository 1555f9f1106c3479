package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"minictr/pkg/image"
)

// classify gives an answer that is an error its meaning.
func classify(err error) error {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return err
	}
	switch answer.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", image.ErrNotFound, err)
	case http.StatusUnauthorized, http.StatusForbidden:
		// Docker Hub says so too of repositories that do not exist.
		return fmt.Errorf("%w: the repository may not exist, or may need a login: %w", image.ErrUnauthorized, err)
	case http.StatusTooManyRequests:
		return fmt.Errorf("the registry wants us to slow down (logging in may raise the limit): %w", err)
	}
	return err
}

// loginError is classify for the first contact, where not found means that
// there is no registry and not that there is no image.
func loginError(err error) error {
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return fmt.Errorf("this is not a registry: %w", err)
	}
	return classify(err)
}

// passing tells whether trying again may help: broken connections, and answers
// that say "not now".
func passing(err error) bool {
	var answer *transport.Error
	if errors.As(err, &answer) {
		return answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusRequestTimeout ||
			answer.StatusCode >= 500 && answer.StatusCode != http.StatusNotImplemented
	}
	var untrusted *tls.CertificateVerificationError
	if errors.Is(err, errPlain) || errors.As(err, &untrusted) {
		return false
	}
	var unanswered *url.Error
	return errors.Is(err, errBroken) || errors.As(err, &unanswered)
}

// errBroken: an answer began well and did not end.
var errBroken = errors.New("the connection broke")

// retry is how often and how patiently. The zero value is what users get.
type retry struct {
	attempts int           // default 4
	pause    time.Duration // before the second attempt, doubled each time; default 250 ms
}

func (r retry) limit() int {
	if r.attempts == 0 {
		return 4
	}
	return r.attempts
}

// wait pauses before attempt n+1, or returns the context's error.
func (r retry) wait(ctx context.Context, n int) error {
	pause := r.pause
	if pause == 0 {
		pause = 250 * time.Millisecond
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause << (n - 1)):
		return nil
	}
}

func (r retry) do(ctx context.Context, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		if err == nil || !passing(err) || n == r.limit() || ctx.Err() != nil {
			return err
		}
		if werr := r.wait(ctx, n); werr != nil {
			return errors.Join(err, werr)
		}
	}
}
