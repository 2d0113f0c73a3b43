package httpdriver

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	. "github.com/onsi/gomega"
)

// TestNothingCanRewindAWrite looks at what net/http decides by, so that each guard holds without the others.
func TestNothingCanRewindAWrite(t *testing.T) {
	for _, body := range [][]byte{nil, []byte("{}")} {
		g := NewWithT(t)
		m := &message{method: http.MethodDelete, url: &url.URL{Scheme: "https", Host: "m.example"}, body: body}
		r, err := m.request(t.Context(), writing)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(r.GetBody).To(BeNil())
		g.Expect(r.Body).NotTo(Or(BeNil(), BeIdenticalTo(http.NoBody)))
		g.Expect(r.ContentLength).To(BeEquivalentTo(len(body)))
	}
}

func TestTransports(t *testing.T) {
	g := NewWithT(t)
	s := newSender(Options{}.withDefaults())
	g.Expect(s.writes.DisableKeepAlives).To(BeTrue(), "each write has a connection of its own")
	for _, transport := range []*http.Transport{s.reads, s.writes} {
		g.Expect(transport.Proxy).To(BeNil(), "a proxy would see the token, and the dialer would judge the proxy's address")
		g.Expect(transport.DisableCompression).To(BeTrue())
		g.Expect(transport.ForceAttemptHTTP2).To(BeFalse())
	}
}

// TestAReplyThatCameInTimeIsRead although the caller's deadline passed while it was on its way.
func TestAReplyThatCameInTimeIsRead(t *testing.T) {
	g := NewWithT(t)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	long, err := compile(itemScope, "f", "string(item.filter(i, i > 1).size())", wantText)
	g.Expect(err).NotTo(HaveOccurred())
	numbers := make([]any, 500)
	for i := range numbers {
		numbers[i] = int64(i)
	}
	_, err = long.text(over, map[string]any{"item": numbers})
	g.Expect(err).NotTo(HaveOccurred())
}
