package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"k8s.io/client-go/rest"

	"github.com/onebid-dev/onebid/internal/testenv"
)

// Proxy is the way of some managers to the API server, or to the marketplace, on which a test spoils what it likes. Its
// zero faults pass everything on unchanged.
type Proxy struct {
	// URL leads this way.
	URL string
	// Kubeconfig leads managers this way to the API server, with the rights that the tenant's managers have.
	Kubeconfig string

	server *httptest.Server
	mu     sync.Mutex
	loss   *Loss
	met    int
	ahead  time.Duration
	events Events
	held   int
	healed chan struct{}               // closed when the faults of now end
	flows  chan struct{}               // closed when something else becomes of events
	writes map[string]testenv.Requests // by namespace
}

// Loss is what happens to requests.
type Loss struct {
	// Wanted selects the requests.
	Wanted func(*http.Request) bool
	// Carried out is the request, and only its reply is lost.
	Carried bool
	// Silent keeps the connection open without a word, as a network does that drops packets; else it is closed.
	Silent bool
}

// Events says what becomes of the events of watches, but for those of Leases.
type Events int

// What can become of events.
const (
	EventsPass Events = iota
	// EventsHeld come once the events pass again; those of a connection that is cut meanwhile never come.
	EventsHeld
	// EventsTwice come twice in a row.
	EventsTwice
)

// Proxy makes a way to the API server.
func (x *Tenant) Proxy() *Proxy {
	x.T.Helper()
	config := x.managerUser().Config
	transport, err := rest.TransportFor(config)
	x.G.Expect(err).NotTo(gomega.HaveOccurred())
	p := NewProxy(x.T, config.Host, transport)
	p.Kubeconfig = filepath.Join(x.T.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "proxy",
"contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}], "users": [{"name": "proxy", "user": {}}],
"clusters": [{"name": "proxy", "cluster": {"server": %q}}]}`, p.URL)
	x.G.Expect(os.WriteFile(p.Kubeconfig, []byte(text), 0o600)).To(gomega.Succeed())
	return p
}

// NewProxy makes a way to a server, with the credentials of the transport.
func NewProxy(t *testing.T, server string, transport http.RoundTripper) *Proxy {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{healed: make(chan struct{}), flows: make(chan struct{}), writes: map[string]testenv.Requests{}}
	forward := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target); rewrite(r) },
		Transport:      transport,
		FlushInterval:  -1, // watches are streams
		ModifyResponse: p.edit,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.pass(forward, w, r) }))
	p.URL = p.server.URL
	t.Cleanup(func() {
		p.Heal()
		p.Cut()
		p.server.Close()
	})
	return p
}

// rewrite asks for replies that can be read here, and carries a write out that has arrived even if its sender is gone by now.
func rewrite(r *httputil.ProxyRequest) {
	r.Out.Header.Set("Accept-Encoding", "identity")
	if r.In.Method != http.MethodGet {
		r.Out = r.Out.WithContext(context.WithoutCancel(r.In.Context()))
	}
}

func (p *Proxy) pass(forward http.Handler, w http.ResponseWriter, r *http.Request) {
	loss, healed := p.meet(r)
	if loss == nil {
		forward.ServeHTTP(w, r)
		return
	}
	if loss.Carried {
		forward.ServeHTTP(httptest.NewRecorder(), r)
	}
	if loss.Silent {
		select {
		case <-healed:
		case <-r.Context().Done():
		}
	}
	panic(http.ErrAbortHandler) // the client sees its connection end
}

func (p *Proxy) meet(r *http.Request) (*Loss, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loss == nil || !p.loss.Wanted(r) {
		return nil, nil
	}
	p.met++
	return p.loss, p.healed
}

// Lose spoils requests from now on. It ends what an earlier Lose began, and counts anew.
func (p *Proxy) Lose(loss Loss) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loss, p.met = &loss, 0
}

// Lost is how many requests were spoilt since Lose.
func (p *Proxy) Lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.met
}

// Heal ends all faults. Requests that met one are not carried out later.
func (p *Proxy) Heal() {
	p.Events(EventsPass)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loss, p.ahead = nil, 0
	close(p.healed)
	p.healed = make(chan struct{})
}

// Cut ends all connections, watches too.
func (p *Proxy) Cut() { p.server.CloseClientConnections() }

// Ahead shifts the API server's clock, as far as it shows in the Date of its replies.
func (p *Proxy) Ahead(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ahead = d
}

// Events changes what becomes of events.
func (p *Proxy) Events(e Events) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = e
	close(p.flows)
	p.flows = make(chan struct{})
}

func (p *Proxy) edit(reply *http.Response) error {
	p.count(reply)
	p.mu.Lock()
	ahead := p.ahead
	p.mu.Unlock()
	if date, err := http.ParseTime(reply.Header.Get("Date")); err == nil {
		reply.Header.Set("Date", date.Add(ahead).Format(http.TimeFormat))
	}
	kind, _, err := mime.ParseMediaType(reply.Header.Get("Content-Type"))
	if watch := reply.Request.URL.Query().Get("watch"); err == nil && kind == "application/json" && watch != "" {
		reply.Body = &stream{Closer: reply.Body, events: json.NewDecoder(reply.Body), proxy: p, over: reply.Request.Context().Done()}
	}
	return nil
}

// stream is a watch in JSON.
type stream struct {
	io.Closer

	events *json.Decoder
	proxy  *Proxy
	over   <-chan struct{}
	rest   []byte // of what is given on
}

// Read gives the events on as the proxy wants them at the time.
func (s *stream) Read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		var event json.RawMessage
		if err := s.events.Decode(&event); err != nil {
			return 0, err
		}
		s.rest = s.proxy.treat(append(event, '\n'), s.over)
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Held is how many events were held up so far.
func (p *Proxy) Held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

func (p *Proxy) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held++
}

// treat holds an event up while events are held, and doubles it when they come twice.
func (p *Proxy) treat(event []byte, over <-chan struct{}) []byte {
	for {
		p.mu.Lock()
		events, flows := p.events, p.flows
		p.mu.Unlock()
		if events == EventsTwice {
			return append(event, event...)
		}
		if events == EventsPass {
			return event
		}
		p.hold()
		select {
		case <-flows:
		case <-over:
			return nil
		}
	}
}
