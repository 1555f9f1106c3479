package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"minictr/pkg/image"
	"minictr/pkg/image/digest"
	"minictr/pkg/image/transfer"
)

// silentServer accepts connections and hangs up without a word.
func silentServer(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

func closedPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestUnreachableIsOnlyWhenNobodyAnswers(t *testing.T) {
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer untrusted.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	defer broken.Close()
	for name, tc := range map[string]struct {
		host string
		want bool
	}{
		"refused":             {closedPort(t), true},
		"hangs up":            {silentServer(t), true},
		"no such name":        {"registry.invalid", true},
		"not found on TLS":    {strings.TrimPrefix(untrusted.URL, "https://"), false},
		"server error":        {strings.TrimPrefix(broken.URL, "http://"), false},
		"plain not permitted": {"localhost.invalid:1", true},
	} {
		s, root := openStore(t)
		n, err := image.ParseName(tc.host + "/app:1")
		if err != nil {
			t.Fatal(err)
		}
		_, err = Pull(ctx, s, n, Options{retry: quick})
		if err == nil || errors.Is(err, image.ErrUnreachable) != tc.want {
			t.Errorf("%s: %v; unreachable: want %v", name, err, tc.want)
		}
		if left := files(t, root); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

func TestACertificateNobodyVouchesForIsNotSilence(t *testing.T) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer srv.Close()
	tr := newTransport(false)
	defer tr.CloseIdleConnections()
	var contact reach
	contact.watch(tr)
	if _, err := (&http.Client{Transport: tr}).Get(srv.URL); err == nil || contact.nobody() || passing(err) {
		t.Errorf("%v counts as nobody, or as passing", err)
	}
}

func TestAProxyThatDoesNotConnectIsUnreachable(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer proxy.Close()
	// The environment is read once in a process: another one asks.
	out, err := helper(t, "pull", t.TempDir(), "registry.invalid/app:1", "HTTPS_PROXY="+proxy.URL).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "UNREACHABLE") || !strings.Contains(string(out), "502") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestPlainHTTPIsForThisMachineAndTheListOnly(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "127.0.0.1:5000": true, "127.9.9.9": true, "[::1]:5000": true, "::1": true,
		"10.0.0.1": false, "10.0.0.1:5000": false, "192.168.1.1": false, "docker.io": false, "localhost.evil": false, "reg.local": false,
		"listed": true, "listed:5000": true, "port:5000": true, "port": false, "172.16.3.4:80": true, "172.17.0.1": false,
	} {
		if got := plainOK(host, []string{"listed", "port:5000", "172.16.0.0/16"}); got != want {
			t.Errorf("%s: %v, want %v", host, got, want)
		}
	}
	h := newHub(t)
	g := guard{inner: http.DefaultTransport}
	req := httptest.NewRequest(http.MethodGet, "http://10.0.0.1/v2/", nil)
	if _, err := g.RoundTrip(req); err == nil || !strings.Contains(err.Error(), "10.0.0.1") {
		t.Errorf("a private address was asked over plain HTTP: %v", err)
	}
	// A registry of this machine may not send us to somebody else in plain.
	h.push(t, "app", "1", amd64, "x")
	h.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, "http://192.0.2.1/stolen", http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	s, _ := openStore(t)
	if _, err := Pull(ctx, s, h.name(t, "app:1"), Options{retry: quick}); err == nil || !strings.Contains(err.Error(), "192.0.2.1") {
		t.Errorf("redirect: %v", err)
	}
}

// breaking sends at most limit bytes of a blob on each connection.
func breaking(limit int, ranges bool, requests *atomic.Int32) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") || r.Header.Get("X-Inner") != "" {
			return false
		}
		req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+r.Host+r.URL.Path, nil)
		if err != nil {
			panic(err)
		}
		req.Header.Set("X-Inner", "1")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			panic(err)
		}
		defer func() { _ = resp.Body.Close() }()
		whole, err := io.ReadAll(resp.Body)
		if err != nil {
			panic(err)
		}
		if len(whole) < 64<<10 { // the config
			_, _ = w.Write(whole)
			return true
		}
		requests.Add(1)
		from, code := 0, http.StatusOK
		if start, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && ranges {
			from, _ = strconv.Atoi(strings.TrimSuffix(start, "-"))
			code = http.StatusPartialContent
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(whole)-from))
		w.WriteHeader(code)
		_, _ = w.Write(whole[from:min(from+limit, len(whole))])
		if from+limit < len(whole) {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler) // in the middle of the body
		}
		return true
	}
}

func TestABrokenConnectionIsResumedWhereItBroke(t *testing.T) {
	content := "big " + strings.Repeat("0123456789abcdef", 20<<10) // 320 KiB
	for _, ranges := range []bool{true, false} {
		h := newHub(t)
		h.push(t, "app", "1", amd64, content)
		var requests atomic.Int32
		limit := 40 << 10 // nine pieces, twice the patience: progress renews it
		if !ranges {
			limit = 300 << 10
		}
		h.intercept(breaking(limit, ranges, &requests))
		s, _ := openStore(t)
		states := map[transfer.State]int{}
		img, err := Pull(ctx, s, h.name(t, "app:1"), Options{retry: quick, Options: transfer.Options{Progress: func(e transfer.Event) { states[e.State]++ }}})
		if !ranges {
			// It never gets further than limit: patience must end.
			if err == nil || errors.Is(err, image.ErrDigest) || requests.Load() > 10 {
				t.Errorf("without ranges: %v after %d requests", err, requests.Load())
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(img.Layers[0].Dir, content[:20]))
		if err != nil || string(raw) != content || requests.Load() != 9 || states[transfer.Retrying] != 8 {
			t.Errorf("%d bytes, %v, %d requests, states %v", len(raw), err, requests.Load(), states)
		}
	}
}

func TestAPassingFailureIsTriedAgain(t *testing.T) {
	h := newHub(t)
	h.push(t, "app", "1", amd64, "x")
	var mu sync.Mutex
	seen := map[string]bool{}
	h.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/v2/" || seen[r.URL.Path] {
			return false
		}
		seen[r.URL.Path] = true
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	s, _ := openStore(t)
	if _, err := Pull(ctx, s, h.name(t, "app:1"), Options{retry: quick}); err != nil || len(seen) != 3 {
		t.Errorf("%v; refused once: %v", err, seen)
	}
}

func TestCancelLeavesNothing(t *testing.T) {
	h := newHub(t)
	h.push(t, "app", "1", amd64, "one", "two")
	one := digest.FromBytes(gzipped(t, tarOf(t, "one"))).String()
	started := make(chan struct{})
	h.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, one) {
			return false
		}
		close(started)
		<-r.Context().Done() // the layer that never comes
		return true
	})
	s, root := openStore(t)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		<-started
		cancel()
	}()
	_, err := Pull(ctx, s, h.name(t, "app:1"), Options{})
	if !errors.Is(err, context.Canceled) || errors.Is(err, image.ErrUnreachable) {
		t.Error(err)
	}
	for _, f := range files(t, root) {
		if base := filepath.Base(f); base != "index.json" && base != "oci-layout" {
			t.Errorf("left %s", f)
		}
	}
}

func TestCredentialsComeFromDockersFile(t *testing.T) {
	h := newHub(t)
	h.push(t, "app", "1", amd64, "x")
	var tokens atomic.Int32
	h.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			user, password, _ := r.BasicAuth()
			if user != "ann" || password != "secret" || r.URL.Query().Get("scope") != "repository:app:pull" {
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			tokens.Add(1)
			_, _ = w.Write([]byte(`{"token":"letmein"}`))
			return true
		}
		if r.Header.Get("Authorization") == "Bearer letmein" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	s, _ := openStore(t)
	if _, err := Pull(ctx, s, h.name(t, "app:1"), Options{}); !errors.Is(err, image.ErrUnauthorized) {
		t.Errorf("without credentials: %v", err)
	}
	auth := base64.StdEncoding.EncodeToString([]byte("ann:secret"))
	config := `{"auths":{"` + h.host() + `":{"auth":"` + auth + `"}}}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Pull(ctx, s, h.name(t, "app:1"), Options{}); err != nil || tokens.Load() != 1 {
		t.Errorf("with credentials: %v, %d tokens", err, tokens.Load())
	}
}

// TestMain doubles as another process: see helper.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "pull" {
		os.Exit(pullMain(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

func pullMain(root, ref string) int {
	s, err := image.Open(root)
	if err != nil {
		panic(err)
	}
	n, err := image.ParseName(ref)
	if err != nil {
		panic(err)
	}
	if _, err = Pull(ctx, s, n, Options{retry: quick}); err == nil {
		return 0
	}
	if errors.Is(err, image.ErrUnreachable) {
		_, _ = os.Stderr.WriteString("UNREACHABLE ")
	}
	_, _ = os.Stderr.WriteString(err.Error())
	return 1
}

func helper(t testing.TB, verb, root, ref string, env ...string) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: layers are unpacked with their owners")
	}
	cmd := exec.Command(os.Args[0], verb, root, ref)
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

func TestManyProcessesPullALayerOnce(t *testing.T) {
	h := newHub(t)
	h.push(t, "a", "1", amd64, "base", "mine")
	h.push(t, "b", "1", amd64, "other", "base")
	var fetched sync.Map
	h.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			n, _ := fetched.LoadOrStore(filepath.Base(r.URL.Path), new(atomic.Int32))
			n.(*atomic.Int32).Add(1)
			time.Sleep(20 * time.Millisecond) // let the others come and wait
		}
		return false
	})
	s, root := openStore(t)
	var wg sync.WaitGroup
	for _, ref := range []string{"a:1", "b:1", "a:1", "b:1"} {
		wg.Go(func() {
			if out, err := helper(t, "pull", root, h.host()+"/"+ref).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", ref, err, out)
			}
		})
		wg.Go(func() {
			if _, err := Pull(ctx, s, h.name(t, ref), Options{}); err != nil {
				t.Errorf("%s: %v", ref, err)
			}
		})
	}
	wg.Wait()
	for _, content := range []string{"base", "mine", "other"} {
		d := digest.FromBytes(gzipped(t, tarOf(t, content))).String()
		n, ok := fetched.Load(d)
		if !ok || n.(*atomic.Int32).Load() != 1 {
			t.Errorf("layer %s was fetched %v times", content, n)
		}
	}
	list, err := s.List()
	if err != nil || len(list) != 2 {
		t.Errorf("listed %v, %v", list, err)
	}
	// Two images: manifest, config each; three layers with blob, record, file.
	if all := files(t, root); len(all) != 2+2*2+3*3 {
		t.Errorf("files %v", all)
	}
}

func TestAKilledPullIsClearedAwayByTheNext(t *testing.T) {
	h := newHub(t)
	h.push(t, "app", "1", amd64, "one", "two")
	two := digest.FromBytes(gzipped(t, tarOf(t, "two")))
	var stuck atomic.Bool
	stuck.Store(true)
	started := make(chan struct{}, 1)
	h.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !stuck.Load() || !strings.HasSuffix(r.URL.Path, two.String()) {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(gzipped(t, tarOf(t, "two")))))
		_, _ = w.Write(gzipped(t, tarOf(t, "two"))[:600]) // the file's header
		_ = http.NewResponseController(w).Flush()
		started <- struct{}{}
		<-r.Context().Done()
		return true
	})
	s, root := openStore(t)
	victim := helper(t, "pull", root, h.host()+"/app:1")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	<-started
	partial := filepath.Join(root, "layers", digest.FromBytes(tarOf(t, "two")).Encoded()+".partial")
	for range 100 { // until it has something to leave behind
		if _, err := os.Stat(filepath.Join(partial, "blob")); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // killed
	if _, err := os.Stat(partial); err != nil {
		t.Fatalf("the killed pull left nothing to clear: %v", err)
	}
	stuck.Store(false)
	if _, err := Pull(ctx, s, h.name(t, "app:1"), Options{}); err != nil {
		t.Fatal(err)
	}
	if all := files(t, root); len(all) != 2+2+2*3 {
		t.Errorf("files %v", all)
	}
}

func TestPullsAndRemovesAtOnceEndInOrder(t *testing.T) {
	h := newHub(t)
	h.push(t, "a", "1", amd64, "base", "mine")
	h.push(t, "b", "1", amd64, "base", "other")
	s, root := openStore(t)
	var wg sync.WaitGroup
	for i := range 6 {
		ref := []string{"a:1", "b:1"}[i%2]
		wg.Go(func() {
			for range 15 {
				img, err := Pull(ctx, s, h.name(t, ref), Options{retry: quick})
				if err != nil {
					t.Errorf("pull %s: %v", ref, err)
					continue
				}
				if got, err := s.Get(h.host() + "/" + ref); err == nil && got.ID != img.ID || err != nil && !errors.Is(err, image.ErrNotFound) {
					t.Errorf("get %s: %v, %v", ref, got, err)
				}
				if _, err := s.List(); err != nil {
					t.Errorf("list: %v", err)
				}
				if _, err := s.Remove(h.host()+"/"+ref, false, nil); err != nil && !errors.Is(err, image.ErrNotFound) {
					t.Errorf("remove %s: %v", ref, err)
				}
			}
		})
	}
	wg.Wait()
	for _, ref := range []string{"a:1", "b:1"} {
		if _, err := Pull(ctx, s, h.name(t, ref), Options{}); err != nil {
			t.Fatal(err)
		}
		img, err := s.Get(h.host() + "/" + ref)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(img.Layers[0].Dir, "base")); err != nil {
			t.Error(err)
		}
		if _, err := s.Remove(h.host()+"/"+ref, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	if all := files(t, root); len(all) != 2 {
		t.Errorf("left %v", all)
	}
}
