package httpdriver

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/cel-go/common/types/ref"
	"golang.org/x/net/http/httpguts"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/celeval"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// extras come on top of a template.
type extras struct {
	header http.Header
	query  []parameter       // of a variant
	next   map[string]string // query parameters of the next page
	// preview makes a message that is not to be sent: no secret is read for it.
	preview bool
}

// draft is a message that is being built.
type draft struct {
	*wire.Message

	preview bool // it is for people, and shows no secret
	// late are headers that wait for the moment of sending, with the variables that they see beside it.
	late []parameter
	vars map[string]any
}

// message is nil when there is no draft.
func (m *draft) message() *wire.Message {
	if m == nil {
		return nil
	}
	return m.Message
}

// build computes a request. Its errors name the field and hold no value of a secret.
func (d *Driver) build(ctx context.Context, t *template, vars map[string]any, x extras) (*draft, error) {
	vars["secret"] = d.secrets
	m := &draft{Message: &wire.Message{Method: t.method, Header: d.options.Header()}, preview: x.preview, vars: vars}
	var err error
	if m.URL, err = d.url(ctx, t, vars); err != nil {
		return nil, err
	}
	if err := m.setQuery(ctx, slices.Concat(t.query, x.query), vars, x.next); err != nil {
		return nil, err
	}
	if err := m.setBody(ctx, t, vars); err != nil {
		return nil, err
	}
	if err := m.setHeaders(ctx, slices.Concat(d.plan.headers, t.headers), vars); err != nil {
		return nil, err
	}
	for name, values := range x.header {
		m.Header[http.CanonicalHeaderKey(name)] = values
	}
	return m, nil
}

// url appends the path to the base URL, and accepts nothing that would lead somewhere else.
func (d *Driver) url(ctx context.Context, t *template, vars map[string]any) (*url.URL, error) {
	path, err := t.path.Text(ctx, vars)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(d.base + path)
	if err != nil || !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#") {
		return nil, fmt.Errorf("%s: must give a path that begins with a slash, without query or fragment; "+
			"use pathEscape for what comes from outside", t.path.Field)
	}
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		if plain, err := url.PathUnescape(segment); err != nil || plain == "." || plain == ".." {
			return nil, fmt.Errorf("%s: must not give a path with the segment %q, which servers take for a folder",
				t.path.Field, segment)
		}
	}
	return u, nil
}

func (m *draft) setQuery(ctx context.Context, params []parameter, vars map[string]any, next map[string]string) error {
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
	if m.Method == http.MethodGet {
		for name, value := range next {
			query.Set(name, value)
		}
	}
	m.URL.RawQuery = query.Encode()
	return nil
}

func (m *draft) setHeaders(ctx context.Context, params []parameter, vars map[string]any) error {
	for _, p := range params {
		// The later one of two headers of one name counts.
		m.late = slices.DeleteFunc(m.late, func(before parameter) bool { return strings.EqualFold(before.name, p.name) })
		if late(p.value) && !m.preview {
			m.late = append(m.late, p)
			continue
		}
		if err := m.setHeader(ctx, p, vars); err != nil {
			return err
		}
	}
	return nil
}

func (m *draft) setHeader(ctx context.Context, p parameter, vars map[string]any) error {
	value, err := m.compute(ctx, p, vars)
	if err != nil {
		return err
	}
	if !httpguts.ValidHeaderFieldValue(value) {
		return fmt.Errorf("%s: must give a value without line breaks and control characters", p.value.Field)
	}
	if value == "" {
		m.Header.Del(p.name) // as given for all requests
		return nil
	}
	m.Header.Set(p.name, value)
	return nil
}

// compute evaluates a parameter, and remembers its value when a secret is in it.
func (m *draft) compute(ctx context.Context, p parameter, vars map[string]any) (string, error) {
	if m.preview && (private(p.value) || late(p.value)) {
		return marketplace.Redacted, nil
	}
	value, err := p.value.Text(ctx, vars)
	if err == nil && private(p.value) {
		m.Sensitive = append(m.Sensitive, value)
		if _, credentials, found := strings.Cut(value, " "); found { // of "Bearer …"
			m.Sensitive = append(m.Sensitive, credentials)
		}
	}
	return value, err
}

func (m *draft) setBody(ctx context.Context, t *template, vars map[string]any) error {
	if t.body == nil {
		return nil
	}
	value, err := t.body.Eval(ctx, vars)
	if err != nil {
		return err
	}
	encode, contentType := celeval.JSON, wire.TypeJSON
	if t.encoding == onebidv1.EncodingForm {
		encode, contentType = encodeForm, wire.TypeForm
	}
	if m.Body, err = encode(value); err != nil {
		return fmt.Errorf("%s: %w", t.body.Field, err)
	}
	m.Header.Set("Content-Type", contentType)
	return nil
}

func encodeForm(value ref.Val) ([]byte, error) {
	fields, err := celeval.TextMap(value)
	if err != nil {
		return nil, err
	}
	form := url.Values{}
	for name, value := range fields {
		form.Set(name, value)
	}
	return []byte(form.Encode()), nil
}
