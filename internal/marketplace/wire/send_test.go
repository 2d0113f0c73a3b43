package wire

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// TestNothingCanRewindAWrite looks at what net/http decides by, so that each guard holds without the others.
func TestNothingCanRewindAWrite(t *testing.T) {
	for _, body := range [][]byte{nil, []byte("{}")} {
		g := NewWithT(t)
		m := &Message{Method: http.MethodDelete, URL: &url.URL{Scheme: "https", Host: "m.example"}, Body: body}
		r, err := m.request(t.Context(), Writing)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(r.GetBody).To(BeNil())
		g.Expect(r.Body).NotTo(Or(BeNil(), BeIdenticalTo(http.NoBody)))
		g.Expect(r.ContentLength).To(BeEquivalentTo(len(body)))
	}
}

// TestAWriteWithoutABodySaysItsLength: some servers answer 411 to an empty body in chunks.
func TestAWriteWithoutABodySaysItsLength(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch} {
		g := NewWithT(t)
		m := &Message{Method: method, URL: &url.URL{Scheme: "https", Host: "m.example"}, Header: http.Header{}}
		r, err := m.request(t.Context(), Writing)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(r.GetBody).To(BeNil())
		var sent strings.Builder
		g.Expect(r.Write(&sent)).To(Succeed())
		g.Expect(sent.String()).To(And(ContainSubstring("Content-Length: 0\r\n"), Not(ContainSubstring("chunked"))))

		m.Header.Set("Idempotency-Key", "k")
		r, err = m.request(t.Context(), Writing)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(r.Body).NotTo(BeIdenticalTo(http.NoBody), "net/http would repeat it")
	}
}

func TestTransports(t *testing.T) {
	g := NewWithT(t)
	s := NewSender(Options{})
	g.Expect(s.writes.DisableKeepAlives).To(BeTrue(), "each write has a connection of its own")
	tokens, ok := s.TokenClient().Transport.(*http.Transport)
	g.Expect(ok).To(BeTrue())
	g.Expect(s.TokenClient().CheckRedirect(nil, nil)).To(Equal(http.ErrUseLastResponse), "the client's secret would travel")
	for _, transport := range []*http.Transport{s.reads, s.writes, tokens} {
		g.Expect(transport.TLSClientConfig.MinVersion).To(BeEquivalentTo(tls.VersionTLS12))
		g.Expect(transport.MaxResponseHeaderBytes).To(BeNumerically("<=", 64<<10))
		g.Expect(transport.Proxy).To(BeNil(), "a proxy would see the token, and the dialer would judge the proxy's address")
		g.Expect(transport.DisableCompression).To(BeTrue())
		g.Expect(transport.ForceAttemptHTTP2).To(BeFalse())
	}
}
