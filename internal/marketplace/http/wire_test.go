package httpdriver_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	httpdriver "github.com/onebid-dev/onebid/internal/marketplace/http"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// hangUp is a server that answers reads and keeps their connection, and hangs up on writes once it has read them: what a
// marketplace does that is restarted behind a load balancer at the wrong moment.
type hangUp struct {
	net.Listener

	writes atomic.Int32
	conns  sync.WaitGroup
}

func startHangUp(t *testing.T) *hangUp {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &hangUp{Listener: l}
	s.conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.conns.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.conns.Wait()
	})
	return s
}

func (s *hangUp) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	for in := bufio.NewReader(c); ; {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Method != http.MethodGet {
			s.writes.Add(1)
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"items\":[]}")
	}
}

// TestTheHazard shows what the driver guards against: net/http sends a POST twice, without telling, when a connection
// that it used before hangs up and the request has an Idempotency-Key and a body that can be rewound.
func TestTheHazard(t *testing.T) {
	g := NewWithT(t)
	s := startHangUp(t)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	warm, err := client.Get("http://" + s.Addr().String())
	g.Expect(err).NotTo(HaveOccurred())
	_, _ = io.Copy(io.Discard, warm.Body)
	g.Expect(warm.Body.Close()).To(Succeed())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Addr().String(), bytes.NewReader([]byte("{}")))
	g.Expect(err).NotTo(HaveOccurred())
	r.Header.Set("Idempotency-Key", "k")
	_, err = client.Do(r) //nolint:bodyclose // there is none
	g.Expect(err).To(HaveOccurred())
	g.Expect(s.writes.Load()).To(BeEquivalentTo(2), "if this is 1, net/http has changed and the driver may become simpler")
}

func TestAWriteIsOnTheWireOnce(t *testing.T) {
	for name, change := range map[string]func(*onebidv1.HTTPDriver){
		"with bodies": func(d *onebidv1.HTTPDriver) { d.Withdraw.Request.Body = "{'reason': reason}" },
		"without a body, which net/http thinks can always be sent again": func(d *onebidv1.HTTPDriver) {
			d.Place.Request.Body = ""
			d.Withdraw.Request.Headers = []onebidv1.HTTPParameter{{Name: "X-Idempotency-Key", Value: "remote.id"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := startHangUp(t)
			d := driver(t, shop(change), "http://"+s.Addr().String())
			for range 3 { // warm connections
				_, err := d.List(t.Context(), marketplace.Unpaced{})
				g.Expect(err).NotTo(HaveOccurred())
			}
			_, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
			g.Expect(err).To(beOf(onebidv1.ErrorUnknownOutcome))
			g.Expect(s.writes.Load()).To(BeEquivalentTo(1))
			g.Expect(d.Withdraw(t.Context(), marketplace.Unpaced{}, ref, "")).To(beOf(onebidv1.ErrorUnknownOutcome))
			g.Expect(s.writes.Load()).To(BeEquivalentTo(2))
		})
	}
}

func TestWritesUseConnectionsOfTheirOwn(t *testing.T) {
	g := NewWithT(t)
	var mu sync.Mutex
	addresses := map[string][]string{}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		addresses[r.Method] = append(addresses[r.Method], r.RemoteAddr)
		mu.Unlock()
		_, _ = io.WriteString(w, `{"id": "b1", "posting": "p1", "state": "live", "items": []}`)
	})
	d := driver(t, shop(nil), s.URL)
	for range 3 {
		_, err := d.List(t.Context(), marketplace.Unpaced{})
		g.Expect(err).NotTo(HaveOccurred())
		_, err = d.Place(t.Context(), marketplace.Unpaced{}, bid())
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(addresses["GET"]).To(HaveEach(addresses["GET"][0]), "reads share one")
	posts := map[string]bool{}
	for _, a := range append(addresses["POST"], addresses["GET"][0]) {
		posts[a] = true
	}
	g.Expect(posts).To(HaveLen(4), "writes share none")
}

func TestNothingWasSent(t *testing.T) {
	g := NewWithT(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	closed := "http://" + free.Addr().String()
	g.Expect(free.Close()).To(Succeed())

	stranger := httptest.NewTLSServer(reply(http.StatusOK, "{}")) // nobody trusts its certificate
	defer stranger.Close()
	for name, address := range map[string]string{
		"refused connection": closed, "unknown certificate": stranger.URL, "no such host": "http://nowhere.invalid",
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			d := driver(t, shop(nil), address)
			_, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
			g.Expect(err).To(beOf(onebidv1.ErrorTransient), "%v", err)
			g.Expect(err).To(MatchError(ContainSubstring("nothing was sent")))
			g.Expect(d.Withdraw(t.Context(), marketplace.Unpaced{}, ref, "")).To(beOf(onebidv1.ErrorTransient))
			_, err = d.Lookup(t.Context(), marketplace.Unpaced{}, "p1")
			g.Expect(err).To(beOf(onebidv1.ErrorTransient))
		})
	}
}

func TestTLS(t *testing.T) {
	for version, want := range map[uint16]onebidv1.ErrorClass{
		tls.VersionTLS11: onebidv1.ErrorTransient, tls.VersionTLS12: "", tls.VersionTLS13: "",
	} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			g := NewWithT(t)
			s := httptest.NewUnstartedServer(reply(http.StatusCreated, `{"id": "b1", "posting": "p1", "state": "live"}`))
			s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version}
			s.StartTLS()
			defer s.Close()
			transport, ok := s.Client().Transport.(*http.Transport)
			g.Expect(ok).To(BeTrue())
			d := driverWith(t, shop(nil), s.URL, wire.Options{RootCAs: transport.TLSClientConfig.RootCAs})
			_, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
			g.Expect(err).To(beOf(want), "%v", err)
		})
	}
}

func TestPrivateAddressesAreRefusedAfterResolution(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, reply(http.StatusOK, "{}"))
	spec := shop(nil)
	spec.BaseURL = strings.Replace(strings.Replace(s.URL, "http:", "https:", 1), "127.0.0.1", "localhost", 1)
	d, err := httpdriver.New(t.Context(), spec, map[string][]byte{"token": []byte(token)}, wire.Options{})
	g.Expect(err).NotTo(HaveOccurred(), "a name can be anything until it is resolved")
	_, err = d.Place(t.Context(), marketplace.Unpaced{}, bid())
	g.Expect(err).To(beOf(onebidv1.ErrorTransient))
	g.Expect(err).To(MatchError(ContainSubstring("--allow-private-addresses=")))
	g.Expect(s.requests()).To(BeEmpty())
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	g := NewWithT(t)
	elsewhere := serve(t, reply(http.StatusOK, `{"id": "b1", "posting": "p1", "state": "live", "items": []}`))
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	d := driver(t, shop(nil), s.URL)
	_, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
	g.Expect(err).To(beOf(onebidv1.ErrorUnknownOutcome))
	_, err = d.Lookup(t.Context(), marketplace.Unpaced{}, "p1")
	g.Expect(err).To(beOf(onebidv1.ErrorTransient))
	g.Expect(err).To(MatchError(ContainSubstring("spec.http.baseURL")))
	g.Expect(elsewhere.requests()).To(BeEmpty(), "the token must not travel")
}

func TestRepliesThatCannotBeRead(t *testing.T) {
	good := `{"id": "b1", "posting": "p1", "state": "live"}`
	for name, answer := range map[string]http.HandlerFunc{
		"too large":       reply(http.StatusOK, good+strings.Repeat(" ", 1000)),
		"not JSON":        reply(http.StatusOK, "<html>welcome to our hotel</html>"),
		"more than one":   reply(http.StatusOK, good+good),
		"empty":           reply(http.StatusOK, ""),
		"no content":      reply(http.StatusNoContent, ""),
		"not UTF-8":       reply(http.StatusOK, "{\"id\": \"b\xff\", \"posting\": \"p1\", \"state\": \"live\"}"),
		"no ID":           reply(http.StatusOK, `{"posting": "p1", "state": "live"}`),
		"an empty ID":     reply(http.StatusOK, `{"id": "", "posting": "p1", "state": "live"}`),
		"a null ID":       reply(http.StatusOK, `{"id": null, "posting": "p1", "state": "live"}`),
		"a fraction ID":   reply(http.StatusOK, `{"id": {"a": 1}, "posting": "p1", "state": "live"}`),
		"no state":        reply(http.StatusOK, `{"id": "b1", "posting": "p1"}`),
		"another posting": reply(http.StatusOK, `{"id": "b1", "posting": "p2", "state": "live"}`),
		"a list":          reply(http.StatusOK, "[]"),
		"another switch":  reply(http.StatusNonAuthoritativeInfo, "null"),
		"compressed": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			reply(http.StatusOK, good)(w, r)
		},
		"cut off": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			reply(http.StatusOK, good)(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			d := driverWith(t, shop(nil), serve(t, answer).URL, wire.Options{MaxResponseBytes: 500})
			_, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
			g.Expect(err).To(beOf(onebidv1.ErrorUnknownOutcome), "%v", err)
			_, err = d.Get(t.Context(), marketplace.Unpaced{}, ref)
			g.Expect(err).To(beOf(onebidv1.ErrorTransient), "%v", err)
			_, err = d.Lookup(t.Context(), marketplace.Unpaced{}, "p1")
			g.Expect(err).To(beOf(onebidv1.ErrorTransient), "%v", err)
		})
	}
}

// TestAReplyTakesItsTimeAtMost though it comes byte by byte, and its headers no more than their space.
func TestAReplyTakesItsTimeAtMost(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"nothing comes": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"it never ends": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"id": "b1", "posting": "p1", "state": "live", "items": [`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
		"headers without end": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 65<<10))
			reply(http.StatusOK, `{"id": "b1", "posting": "p1", "state": "live", "items": []}`)(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			d := driverWith(t, shop(nil), serve(t, answer).URL, wire.Options{Timeout: time.Second})
			_, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
			g.Expect(err).To(beOf(onebidv1.ErrorUnknownOutcome), "%v", err)
			_, err = d.List(t.Context(), marketplace.Unpaced{})
			g.Expect(err).To(beOf(onebidv1.ErrorTransient), "%v", err)
		})
	}
}

func TestAcceptEncoding(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, reply(http.StatusOK, `{"items": []}`))
	_, err := driver(t, shop(nil), s.URL).Lookup(t.Context(), marketplace.Unpaced{}, "p1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.requests()[0].header).To(HaveKeyWithValue("Accept-Encoding", []string{"identity"}))
}
