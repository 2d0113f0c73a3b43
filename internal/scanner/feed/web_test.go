package feed

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// server answers with what the test says at the moment, and notes the requests.
type server struct {
	*httptest.Server
	answer   http.HandlerFunc
	requests []*http.Request
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests = append(s.requests, r)
		s.answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) last() *http.Request { return s.requests[len(s.requests)-1] }

func reply(status int, contentType, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestOnlyChangesAreAskedFor(t *testing.T) {
	g, s := NewWithT(t), newServer(t)
	reader, err := NewReader(Options{Location: s.URL + "/jobs?token=geheim", Timeout: time.Minute, UserAgent: "onebid-scanner/1"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(reader.String()).To(Equal(s.URL+"/jobs"), "what is logged must not hold the query")

	s.answer = reply(200, "application/json", `[{"id":"a"}]`, "ETag", `"1"`, "Last-Modified", "Sun, 01 Nov 2026 10:00:00 GMT")
	first, err := reader.Read(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(first.Unchanged).To(BeFalse())
	g.Expect(s.last().Header.Get("If-None-Match")).To(BeEmpty())
	g.Expect(s.last().UserAgent()).To(Equal("onebid-scanner/1"))

	s.answer = reply(304, "", "")
	again, err := reader.Read(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again.Unchanged).To(BeTrue())
	g.Expect(again.Items).To(Equal(first.Items))
	g.Expect(again.At).To(BeTemporally(">", first.At), "the server has just confirmed them")
	g.Expect(s.last().Header.Get("If-None-Match")).To(Equal(`"1"`))
	g.Expect(s.last().Header.Get("If-Modified-Since")).To(Equal("Sun, 01 Nov 2026 10:00:00 GMT"))

	// A new version that could not be understood was not seen: asking for changes since then would hide it for good.
	s.answer = reply(200, "application/json", `[{"id":"b"`, "ETag", `"2"`)
	_, err = reader.Read(t.Context())
	g.Expect(err).To(HaveOccurred())
	s.answer = reply(304, "", "")
	_, err = reader.Read(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.last().Header.Get("If-None-Match")).To(Equal(`"1"`))
}

func TestAFailingServerGivesNothing(t *testing.T) {
	const good = `[{"id":"a"}]`
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"500 with a list":         {reply(500, "application/json", good), "answered 500 Internal Server Error: must be 200 OK"},
		"404":                     {reply(404, "application/json", good), "answered 404 Not Found"},
		"204":                     {reply(204, "application/json", ""), "answered 204 No Content"},
		"206":                     {reply(206, "application/json", good), "answered 206 Partial Content"},
		"304 that nobody asked":   {reply(304, "", ""), "answered 304 Not Modified"},
		"a page that holds JSON":  {reply(200, "text/html; charset=utf-8", good), "a web page, not a feed"},
		"no body":                 {reply(200, "application/json", ""), "empty"},
		"XML that is said to be":  {reply(200, "application/rss+xml", good), "neither RSS nor Atom"},
		"fewer bytes than said":   {reply(200, "application/json", good, "Content-Length", "4096"), "cut short"},
		"a redirect elsewhere":    {reply(302, "", "", "Location", "http://elsewhere.test/"), "redirects to http://elsewhere.test"},
		"a redirect to itself":    {reply(302, "", "", "Location", "/jobs"), "more than 5 redirects"},
		"lines that are one list": {reply(200, "application/x-ndjson", good), "item 1 of 1 is a list"},
	} {
		t.Run(name, func(t *testing.T) {
			g, s := NewWithT(t), newServer(t)
			s.answer = tc.answer
			reader, err := NewReader(Options{Location: s.URL + "/jobs?token=geheim", Timeout: time.Minute})
			g.Expect(err).NotTo(HaveOccurred())
			reading, err := reader.Read(t.Context())
			g.Expect(err).To(MatchError(And(ContainSubstring(tc.says), ContainSubstring("/jobs"))))
			g.Expect(err).NotTo(MatchError(ContainSubstring("geheim")))
			g.Expect(reading.Items).To(BeEmpty())
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		g, s := NewWithT(t), newServer(t)
		s.Close()
		reader, err := NewReader(Options{Location: s.URL + "/jobs?token=geheim"})
		g.Expect(err).NotTo(HaveOccurred())
		_, err = reader.Read(t.Context())
		g.Expect(err).To(MatchError(ContainSubstring("connection refused")))
		g.Expect(err).NotTo(MatchError(ContainSubstring("geheim")))
	})
}

func TestAServerMayAskForPatience(t *testing.T) {
	g, s := NewWithT(t), newServer(t)
	s.answer = reply(503, "text/plain", "later", "Retry-After", "120")
	reader, err := NewReader(Options{Location: s.URL})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = reader.Read(t.Context())
	patience, ok := errors.AsType[*RetryError](err)
	g.Expect(ok).To(BeTrue())
	g.Expect(patience.After).To(Equal(2 * time.Minute))

	now := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-5": 0, "0": 0, "4000000": maxRetryAfter,
		"Sun, 01 Nov 2026 10:01:00 GMT": time.Minute, "Sun, 01 Nov 2026 09:00:00 GMT": 0,
	} {
		g.Expect(retryAfter(value, now)).To(Equal(want), value)
	}
}

// A Secret that is mounted changes under the process.
func TestASecretHeaderIsReadEachTime(t *testing.T) {
	g, s := NewWithT(t), newServer(t)
	s.answer = reply(200, "application/json", "[]")
	secret := filepath.Join(t.TempDir(), "token")
	reader, err := NewReader(Options{Location: s.URL, Headers: []Header{
		{Name: "Authorization", File: secret}, {Name: "X-Team", Value: "blue"},
	}})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = reader.Read(t.Context())
	g.Expect(err).To(MatchError(ContainSubstring("header Authorization")))
	for _, token := range []string{"Bearer one", "Bearer two"} {
		g.Expect(os.WriteFile(secret, []byte(token+"\n"), 0o600)).To(Succeed())
		_, err = reader.Read(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(s.last().Header.Get("Authorization")).To(Equal(token))
		g.Expect(s.last().Header.Get("X-Team")).To(Equal("blue"))
	}
}
