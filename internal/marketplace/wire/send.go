package wire

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

// Sender puts requests on the wire. It knows two ways:
//
//   - reads share connections, and net/http may repeat them when an idle connection turns out to be dead;
//   - writes get a connection of their own. On a shared one, net/http silently sends a request again when the server
//     hangs up, if its body can be rewound or it has none, and an Idempotency-Key header says that this is fine. A fresh
//     connection is never retried, and when it cannot be had, nothing was sent for certain.
//
// Both skip http.Client: it would follow redirects, and its errors quote the URL with the secrets in its query.
type Sender struct {
	reads, writes *http.Transport
	timeout       time.Duration
	limit         int64
}

// NewSender returns a sender without connections. Close it when it is no longer used.
func NewSender(o Options) *Sender {
	o = o.WithDefaults()
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
	return &Sender{reads: reads, writes: writes, timeout: o.Timeout, limit: o.MaxResponseBytes}
}

// TokenClient is for requests to a token endpoint: a connection for each, and no redirect is followed. Its errors may quote
// the address, which must hold no secret.
func (s *Sender) TokenClient() *http.Client {
	transport := s.reads.Clone()
	transport.DisableKeepAlives = true
	return &http.Client{
		Transport: transport, Timeout: s.timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close drops idle connections. Calls under way go on.
func (s *Sender) Close() {
	s.reads.CloseIdleConnections()
	s.writes.CloseIdleConnections()
}

// Reply is an answer that came.
type Reply struct {
	// Status and Header of the answer.
	Status int
	Header http.Header
	// Raw is the body as it came.
	Raw []byte
	// Body is the JSON value as DecodeJSON reads it; an empty map when there is none.
	Body any
	// Broken is why the body could not be read to its end.
	Broken error
	// Alien is why the body is no JSON; nil when it is empty.
	Alien error
}

// NewReply takes the body of an answer in.
func NewReply(status int, header http.Header, raw []byte) *Reply {
	r := &Reply{Status: status, Header: header, Raw: raw, Body: map[string]any{}}
	if len(bytes.TrimSpace(raw)) == 0 {
		return r
	}
	body, err := DecodeJSON(raw)
	if err != nil {
		r.Alien = fmt.Errorf("the reply is %w", err)
		return r
	}
	r.Body = body
	return r
}

// SendError is a request without an answer.
type SendError struct {
	// Sent is false when not a byte can have left.
	Sent bool
	// Err is the cause.
	Err error
}

func (e *SendError) Error() string { return e.Err.Error() }

func (e *SendError) Unwrap() error { return e.Err }

// Send does one request of a call. The error is a *SendError.
func (s *Sender) Send(ctx context.Context, c *Call, m *Message) (*Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// Called when the connection, with TLS, stands and is about to be written to.
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	r, err := m.request(ctx, c.Intent)
	if err != nil {
		return nil, &SendError{false, err}
	}
	transport := s.reads
	if c.Intent == Writing {
		transport = s.writes
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return nil, &SendError{connected.Load(), err}
	}
	defer func() { _ = response.Body.Close() }() // everything of use was read, or reading failed
	c.Pace.Observe(response.Header)
	return s.read(response), nil
}

// read takes the reply in, up to the limit.
func (s *Sender) read(response *http.Response) *Reply {
	status, header := response.StatusCode, response.Header
	if status < http.StatusOK {
		return NewReply(status, header, nil) // 101: what follows is no body
	}
	raw, err := io.ReadAll(io.LimitReader(response.Body, s.limit+1))
	encoding := strings.ToLower(header.Get("Content-Encoding"))
	out := &Reply{Status: status, Header: header, Body: map[string]any{}}
	switch {
	case err != nil:
		out.Broken = fmt.Errorf("the reply broke off: %w", err)
	case int64(len(raw)) > s.limit:
		out.Broken = fmt.Errorf("the reply is larger than %d bytes", s.limit)
	case encoding != "" && encoding != "identity":
		out.Broken = errors.New("the reply is compressed, which was not asked for")
	default:
		return NewReply(status, header, raw)
	}
	return out
}

// Succeeded says whether the status is a success.
func (r *Reply) Succeeded() bool { return r.Status >= 200 && r.Status < 300 }
