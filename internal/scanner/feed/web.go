package feed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// maxRetryAfter bounds what a server may ask for.
	maxRetryAfter = 24 * time.Hour
	// idleTime is how long a connection is kept for the next reading.
	idleTime = 90 * time.Second
)

// web is a feed over HTTP. It asks for changes only, by ETag and Last-Modified.
type web struct {
	address *url.URL
	headers []Header
	agent   string
	client  *http.Client

	etag, modified string
}

// Header is sent with each request.
type Header struct {
	Name string
	// Value, or the name of a file that holds it, for secrets.
	Value, File string
}

func newWeb(address *url.URL, o Options) *web {
	return &web{address: address, headers: o.Headers, agent: o.UserAgent, client: &http.Client{
		Timeout: o.Timeout, CheckRedirect: sameHost,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: idleTime},
	}}
}

// sameHost refuses to send the headers, which may be secret, to another host.
func sameHost(next *http.Request, via []*http.Request) error {
	first := via[0].URL
	if len(via) >= 5 {
		return errors.New("more than 5 redirects")
	}
	if next.URL.Host != first.Host || next.URL.Scheme != first.Scheme {
		return fmt.Errorf("redirects to %s://%s: put that into the location if it is right", next.URL.Scheme, next.URL.Host)
	}
	return nil
}

func (w *web) read(ctx context.Context) (document, error) {
	req, err := w.request(ctx)
	if err != nil {
		return document{}, err
	}
	resp, err := w.client.Do(req)
	if err != nil {
		// The client's own error spells out the URL, and a query may hold a secret.
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err
		}
		return document{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusNotModified && w.etag+w.modified != "" {
		return document{unchanged: true, accept: func() {}}, nil
	}
	if resp.StatusCode != http.StatusOK {
		return document{}, refused(resp, time.Now())
	}
	content, err := readAll(resp.Body)
	if err != nil {
		return document{}, err
	}
	return document{content: content, contentType: resp.Header.Get("Content-Type"), accept: func() {
		w.etag, w.modified = resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
	}}, nil
}

func (w *web) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.address.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", w.agent)
	req.Header.Set("Accept", "application/json, application/x-ndjson, application/rss+xml, application/atom+xml, */*;q=0.5")
	for _, header := range w.headers {
		value := header.Value
		if header.File != "" {
			// Read each time: a Secret that is mounted changes under the process.
			content, err := os.ReadFile(header.File)
			if err != nil {
				return nil, fmt.Errorf("header %s: %w", header.Name, err)
			}
			value = strings.TrimSpace(string(content))
		}
		req.Header.Set(header.Name, value)
	}
	setUnlessEmpty(req.Header, "If-None-Match", w.etag)
	setUnlessEmpty(req.Header, "If-Modified-Since", w.modified)
	return req, nil
}

func setUnlessEmpty(headers http.Header, name, value string) {
	if value != "" {
		headers.Set(name, value)
	}
}

// String leaves out what may be secret: user, password and query.
func (w *web) String() string { return w.address.Scheme + "://" + w.address.Host + w.address.Path }

func refused(resp *http.Response, now time.Time) error {
	err := fmt.Errorf("answered %s: must be 200 OK", resp.Status)
	if after := retryAfter(resp.Header.Get("Retry-After"), now); after > 0 {
		return &RetryError{After: after, Err: err}
	}
	return err
}

// retryAfter reads seconds or a date; 0 is none.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}
