package freelancer_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/freelancer"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

const (
	token = "s3cr3t-t0ken"
	// text is the proposal of every test.
	text = "A proposal that is long enough for the site, which takes none of less than a hundred characters, and to be " +
		"recognised when somebody quotes it."

	self    = `{"status":"success","result":{"id":501}}`
	dollars = `{"status":"success","result":{"id":9001,"status":"active","currency":{"code":"USD"}}}`
	open1   = `{"status":"success","result":{"projects":[{"id":9001,"status":"active","currency":{"code":"USD"}}]}}`
	bid1    = `{"id":77,"project_id":9001,"bidder_id":501,"amount":250.0,"retracted":false,"award_status":null,"time_submitted":1700000000}`
	success = `{"status":"success","result":` + bid1 + `}`
	done    = `{"status":"success","request_id":"r3"}`
)

// seen is a request as the site saw it.
type seen struct {
	method, path, query, body string
	header                    http.Header
}

// answer of the site: a status and a body.
type answer struct {
	status int
	body   string
	header http.Header
}

func ok(body string) answer { return answer{http.StatusOK, body, nil} }

// site answers by method and path ("PUT bids/77/"), with the answers of a route in their order and then with the last one.
type site struct {
	*httptest.Server

	mu     sync.Mutex
	routes map[string][]answer
	seen   []seen
}

func serve(tb testing.TB, routes map[string][]answer) *site {
	tb.Helper()
	s := &site{routes: map[string][]answer{
		"GET self/": {ok(self)}, "GET projects/9001/": {ok(dollars)}, "GET projects/": {ok(open1)},
	}}
	for route, answers := range routes {
		s.routes[route] = answers
	}
	s.Server = httptest.NewServer(s)
	tb.Cleanup(s.Close)
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/projects/0.1/"), "/api/users/0.1/")
	s.mu.Lock()
	s.seen = append(s.seen, seen{r.Method, path, r.URL.RawQuery, string(body), r.Header})
	answers := s.routes[r.Method+" "+path]
	a := answer{http.StatusTeapot, "no route " + r.Method + " " + path, nil}
	if len(answers) > 0 {
		a = answers[0]
	}
	if len(answers) > 1 {
		s.routes[r.Method+" "+path] = answers[1:]
	}
	s.mu.Unlock()
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// of the requests those of a route.
func (s *site) of(route string) []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []seen
	for _, r := range s.seen {
		if r.method+" "+r.path == route {
			out = append(out, r)
		}
	}
	return out
}

func driver(tb testing.TB, s *site) *freelancer.Driver {
	tb.Helper()
	return open(tb, sample(tb), s.URL, token)
}

func driverWith(tb testing.TB, s *site, o wire.Options) *freelancer.Driver {
	tb.Helper()
	return openWith(tb, sample(tb), s.URL, token, o)
}

// request to place a bid that nothing is wrong with.
func request() marketplace.PlaceRequest {
	return marketplace.PlaceRequest{
		PostingID: "9001", Price: onebidv1.Money{Amount: "250.00", Currency: "USD"}, DeliveryDays: 7, Proposal: text,
		IdempotencyKey: "key-1",
	}
}

var ref = marketplace.Ref{BidID: "77", PostingID: "9001"}

// beOf matches errors of a class.
func beOf(class onebidv1.ErrorClass) OmegaMatcher {
	return WithTransform(marketplace.ClassOf, Equal(class))
}
