package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/onebid-dev/onebid/internal/marketplace"
)

// The content types of bodies.
const (
	TypeJSON = "application/json"
	TypeForm = "application/x-www-form-urlencoded"
)

// Message is a request that was built and not sent yet.
type Message struct {
	// Method and URL of the request.
	Method string
	URL    *url.URL
	// Header of the request; see Options.Header.
	Header http.Header
	// Body may be nil.
	Body []byte
	// Sensitive values were computed from a secret; no error shows them.
	Sensitive []string
}

// Header gives what every request carries.
func (o Options) Header() http.Header {
	return http.Header{"Accept": {TypeJSON}, "Accept-Encoding": {"identity"}, "User-Agent": {o.UserAgent}}
}

// Preview shows the message to people as it is. Whoever builds it leaves out what they must not see.
func (m *Message) Preview() marketplace.Preview {
	out := marketplace.Preview{Method: m.Method, URL: m.URL.String(), Headers: map[string]string{}, Body: string(m.Body)}
	for name, values := range m.Header {
		out.Headers[name] = strings.Join(values, ", ")
	}
	return out
}

// request makes the request ready to be sent. Its body can be read one time: net/http does not look for a way to rewind
// within what NopCloser gives, so the request has no GetBody, and a body that is not nil, and does not count as replayable,
// whatever its headers say. It does see that the body is in memory, and sends it together with the headers: a process that
// dies or stops has sent all of a small request or nothing.
func (m *Message) request(ctx context.Context, i Intent) (*http.Request, error) {
	var body io.Reader
	if len(m.Body) > 0 || i == Writing {
		body = io.NopCloser(bytes.NewReader(m.Body))
	}
	r, err := http.NewRequestWithContext(ctx, m.Method, m.URL.String(), body)
	if err != nil {
		return nil, errors.New("the request cannot be built") // the cause may quote the query
	}
	if len(m.Body) == 0 && i == Writing && m.saysItsLength() {
		r.Body = http.NoBody
	} else if body != nil {
		r.ContentLength = int64(len(m.Body))
	}
	r.Header = m.Header
	return r, nil
}

// saysItsLength is true for a request without a body that needs a Content-Length of 0, or some servers refuse it with 411:
// net/http would send an empty body in chunks. One that its headers let net/http repeat keeps what nobody can rewind.
func (m *Message) saysItsLength() bool {
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if _, there := m.Header[name]; there {
			return false
		}
	}
	return m.Method == http.MethodPost || m.Method == http.MethodPut || m.Method == http.MethodPatch
}
