package harness

import (
	"maps"
	"net/http"
	"strings"

	"github.com/onebid-dev/onebid/internal/testenv"
)

// Writes are the requests that changed something in a namespace and went this way. Those that a conflict turned away are not
// counted: how many there are depends on who was faster, and they change nothing.
func (p *Proxy) Writes(namespace string) testenv.Requests {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.writes[namespace])
}

// count takes a reply down.
func (p *Proxy) count(reply *http.Response) {
	verb := reply.Request.Method
	if verb == http.MethodGet || reply.StatusCode == http.StatusConflict {
		return
	}
	if reply.Request.Header.Get("Content-Type") == "application/apply-patch+yaml" {
		verb = "APPLY"
	}
	group, rest, namespaced := strings.Cut(reply.Request.URL.Path, "/namespaces/")
	parts := strings.Split(rest, "/") // namespace, resource, name, subresource
	if !namespaced || len(parts) < 2 {
		return
	}
	group, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimPrefix(group, "/apis/"), "/api/v1"), "/")
	request := testenv.Request{Verb: verb, Group: group, Resource: parts[1]}
	if len(parts) > 3 {
		request.Subresource = parts[3]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writes[parts[0]] == nil {
		p.writes[parts[0]] = testenv.Requests{}
	}
	p.writes[parts[0]][request]++
}
