package httpdriver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/onebid-dev/onebid/internal/marketplace"
)

// pager answers with one body after the other, again and again, and remembers which pages it was asked for.
type pager struct {
	link   string
	bodies []string
	asked  []string
}

func (p *pager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := p.bodies[len(p.asked)%len(p.bodies)]
	p.asked = append(p.asked, r.URL.RawQuery)
	w.Header()["Link"] = []string{p.link}
	_, _ = io.WriteString(w, body)
}

// FuzzPages follows what any replies give for their next page: it comes to an end, and no page is asked for twice.
func FuzzPages(f *testing.F) {
	f.Add(`{"data":[],"next_cursor":"x"}`, `<https://m.example/?page=2>; rel=next`, `{"data":[],"next_cursor":null}`)
	f.Add(`{"proposals":[]}`, `<?page=2>; rel=next, <?page=2>; rel=next`, `{"proposals":[{"id":"1","gigId":"p","status":"pending"}]}`)
	f.Add(`{"items":[],"next_page":2}`, "", `{"items":[],"next_page":3}`)
	p := &pager{}
	server := httptest.NewServer(p)
	f.Cleanup(server.Close)
	drivers := []*Driver{fromSample(f, "rest"), fromSample(f, "taskfast"), fromSample(f, "botguild"), fromSample(f, "freelancehunt")}
	for _, d := range drivers {
		d.options.MaxPages, d.account, d.base = 5, "us", server.URL
		f.Cleanup(func() { _ = d.Close() })
	}
	f.Fuzz(func(t *testing.T, first, link, second string) {
		for _, d := range drivers {
			p.link, p.bodies, p.asked = link, []string{first, second}, nil
			vars := map[string]any{"bid": map[string]any{"postingID": "p"}, "account": "us"}
			bids, err := (&operation{Driver: d, name: marketplace.OpLookup, pace: marketplace.Unpaced{}}).readAll(t.Context(), d.plan.lookup, vars)
			if (err == nil) != (bids != nil) {
				t.Fatalf("%v, %v", bids, err)
			}
			if len(p.asked) == 0 || len(p.asked) > d.options.MaxPages {
				t.Fatalf("%d pages were read: %v", len(p.asked), p.asked)
			}
			slices.Sort(p.asked)
			if distinct := slices.Compact(slices.Clone(p.asked)); len(distinct) != len(p.asked) {
				t.Fatalf("a page was read twice: %v", p.asked)
			}
		}
	})
}
