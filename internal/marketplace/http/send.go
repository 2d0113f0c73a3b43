package httpdriver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/onebid-dev/onebid/internal/failpoint"
)

// sender puts requests on the wire. It knows two ways:
//
//   - reads share connections, and net/http may repeat them when an idle connection turns out to be dead;
//   - writes get a connection of their own. On a shared one, net/http silently sends a request again when the server
//     hangs up, if its body can be rewound or it has none, and an Idempotency-Key header says that this is fine. A fresh
//     connection is never retried, and when it cannot be had, nothing was sent for certain.
//
// Both skip http.Client: it would follow redirects, and its errors quote the URL with the secrets in its query.
type sender struct {
	reads, writes *http.Transport
	timeout       time.Duration
	limit         int64
}

func newSender(o Options) *sender {
	dialer := o.Egress.Dialer(net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second})
	reads := &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
		TLSHandshakeTimeout:    o.Timeout,
		DisableCompression:     true, // a small reply could unpack to a large one
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	writes := reads.Clone()
	writes.DisableKeepAlives = true
	writes.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		return failpoint.OnWire(conn), err
	}
	return &sender{reads: reads, writes: writes, timeout: o.Timeout, limit: o.MaxResponseBytes}
}

func (s *sender) close() {
	s.reads.CloseIdleConnections()
	s.writes.CloseIdleConnections()
}

// reply is an answer that came.
type reply struct {
	status int
	header http.Header
	raw    []byte
	body   any   // the JSON value; an empty map when there is none
	broken error // why the body could not be read to its end
	alien  error // why the body is no JSON; nil when it is empty
}

// sendError is a request without an answer.
type sendError struct {
	// sent is false when not a byte can have left.
	sent bool
	err  error
}

func (e *sendError) Error() string { return e.err.Error() }

func (e *sendError) Unwrap() error { return e.err }

// send does one request. The error is a *sendError.
func (s *sender) send(ctx context.Context, m *message, i intent) (*reply, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// Called when the connection, with TLS, stands and is about to be written to.
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	r, err := m.request(ctx, i)
	if err != nil {
		return nil, &sendError{false, err}
	}
	transport := s.reads
	if i == writing {
		transport = s.writes
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return nil, &sendError{connected.Load(), err}
	}
	defer func() { _ = response.Body.Close() }() // everything of use was read, or reading failed
	return s.read(response), nil
}

// read takes the reply in, up to the limit.
func (s *sender) read(response *http.Response) *reply {
	out := &reply{status: response.StatusCode, header: response.Header, body: map[string]any{}}
	if out.status < http.StatusOK {
		return out // 101: what follows is no body
	}
	raw, err := io.ReadAll(io.LimitReader(response.Body, s.limit+1))
	encoding := strings.ToLower(response.Header.Get("Content-Encoding"))
	switch {
	case err != nil:
		out.broken = fmt.Errorf("the reply broke off: %w", err)
	case int64(len(raw)) > s.limit:
		out.broken = fmt.Errorf("the reply is larger than %d bytes", s.limit)
	case encoding != "" && encoding != "identity":
		out.broken = errors.New("the reply is compressed, which was not asked for")
	default:
		out.take(raw)
	}
	return out
}

func (r *reply) take(raw []byte) {
	r.raw = raw
	if len(bytes.TrimSpace(raw)) == 0 {
		return
	}
	body, err := decodeJSON(raw)
	if err != nil {
		r.alien = fmt.Errorf("the reply is %w", err)
		return
	}
	r.body = body
}

// vars are what expressions see of the reply.
func (r *reply) vars() map[string]any {
	headers := map[string]string{}
	for name, values := range r.header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return map[string]any{"response": map[string]any{"status": int64(r.status), "headers": headers, "body": r.body}}
}

func (r *reply) succeeded() bool { return r.status >= 200 && r.status < 300 }
