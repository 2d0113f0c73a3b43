package httpdriver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/cel-go/common/types/ref"
	"golang.org/x/net/http/httpguts"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
)

// message is a request that was built and not sent yet.
type message struct {
	method    string
	url       *url.URL
	header    http.Header
	body      []byte
	sensitive []string // values that were computed from a secret
	preview   bool     // it is for people, and shows no secret
}

// extras come on top of a template.
type extras struct {
	header http.Header
	query  []parameter       // of a variant
	next   map[string]string // query parameters of the next page
	// preview makes a message that is not to be sent: no secret is read for it.
	preview bool
}

// build computes a request. Its errors name the field and hold no value of a secret.
func (d *Driver) build(ctx context.Context, t *template, vars map[string]any, x extras) (*message, error) {
	vars["secret"] = d.secrets
	m := &message{method: t.method, header: d.header(), preview: x.preview}
	var err error
	if m.url, err = d.url(ctx, t, vars); err != nil {
		return nil, err
	}
	if err := m.setQuery(ctx, slices.Concat(t.query, x.query), vars, x.next); err != nil {
		return nil, err
	}
	if err := m.setBody(ctx, t, vars); err != nil {
		return nil, err
	}
	if err := m.setHeaders(ctx, slices.Concat(d.headers, t.headers), vars); err != nil {
		return nil, err
	}
	for name, values := range x.header {
		m.header[http.CanonicalHeaderKey(name)] = values
	}
	return m, nil
}

func (d *Driver) header() http.Header {
	return http.Header{"Accept": {typeJSON}, "Accept-Encoding": {"identity"}, "User-Agent": {d.options.UserAgent}}
}

// url appends the path to the base URL, and accepts nothing that would lead somewhere else.
func (d *Driver) url(ctx context.Context, t *template, vars map[string]any) (*url.URL, error) {
	path, err := t.path.text(ctx, vars)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(d.base + path)
	if err != nil || !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#") {
		return nil, fmt.Errorf("%s: must give a path that begins with a slash, without query or fragment; "+
			"use pathEscape for what comes from outside", t.path.field)
	}
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		if plain, err := url.PathUnescape(segment); err != nil || plain == "." || plain == ".." {
			return nil, fmt.Errorf("%s: must not give a path with the segment %q, which servers take for a folder",
				t.path.field, segment)
		}
	}
	return u, nil
}

func (m *message) setQuery(ctx context.Context, params []parameter, vars map[string]any, next map[string]string) error {
	query := url.Values{}
	for _, p := range params {
		value, err := m.compute(ctx, p, vars)
		if err != nil {
			return err
		}
		if value != "" {
			query.Add(p.name, value)
		}
	}
	if m.method == http.MethodGet {
		for name, value := range next {
			query.Set(name, value)
		}
	}
	m.url.RawQuery = query.Encode()
	return nil
}

func (m *message) setHeaders(ctx context.Context, params []parameter, vars map[string]any) error {
	for _, p := range params {
		value, err := m.compute(ctx, p, vars)
		if err != nil {
			return err
		}
		if !httpguts.ValidHeaderFieldValue(value) {
			return fmt.Errorf("%s: must give a value without line breaks and control characters", p.value.field)
		}
		if value != "" {
			m.header.Set(p.name, value)
		}
	}
	return nil
}

// compute evaluates a parameter, and remembers its value when a secret is in it.
func (m *message) compute(ctx context.Context, p parameter, vars map[string]any) (string, error) {
	if m.preview && p.value.sees("secret") {
		return marketplace.Redacted, nil
	}
	value, err := p.value.text(ctx, vars)
	if err == nil && p.value.sees("secret") {
		m.sensitive = append(m.sensitive, value)
		if _, credentials, found := strings.Cut(value, " "); found { // of "Bearer …"
			m.sensitive = append(m.sensitive, credentials)
		}
	}
	return value, err
}

func (m *message) setBody(ctx context.Context, t *template, vars map[string]any) error {
	if t.body == nil {
		return nil
	}
	value, err := t.body.eval(ctx, vars)
	if err != nil {
		return err
	}
	encode, contentType := encodeJSON, typeJSON
	if t.encoding == onebidv1.EncodingForm {
		encode, contentType = encodeForm, typeForm
	}
	if m.body, err = encode(value); err != nil {
		return fmt.Errorf("%s: %w", t.body.field, err)
	}
	m.header.Set("Content-Type", contentType)
	return nil
}

func encodeForm(value ref.Val) ([]byte, error) {
	fields, err := textMap(value)
	if err != nil {
		return nil, err
	}
	form := url.Values{}
	for name, value := range fields {
		form.Set(name, value)
	}
	return []byte(form.Encode()), nil
}

// request makes the request ready to be sent. Its body can be read one time: net/http does not look for a way to rewind
// within what NopCloser gives, so the request has no GetBody, and a body that is not nil, and does not count as replayable,
// whatever its headers say. It does see that the body is in memory, and sends it together with the headers: a process that
// dies or stops has sent all of a small request or nothing.
func (m *message) request(ctx context.Context, i intent) (*http.Request, error) {
	var body io.Reader
	if len(m.body) > 0 || i == writing {
		body = io.NopCloser(bytes.NewReader(m.body))
	}
	r, err := http.NewRequestWithContext(ctx, m.method, m.url.String(), body)
	if err != nil {
		return nil, errors.New("the request cannot be built") // the cause may quote the query
	}
	if body != nil {
		r.ContentLength = int64(len(m.body))
	}
	r.Header = m.header
	return r, nil
}
