package httpdriver_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	httpdriver "github.com/onebid-dev/onebid/internal/marketplace/http"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// token is the secret of every test.
const token = "s3cr3t-t0ken"

// text is the proposal of every test.
const text = "A proposal that is long enough to be recognised when somebody quotes a part of it."

// shop is a small spec that is valid; tests change what they are about.
func shop(change func(*onebidv1.HTTPDriver)) *onebidv1.HTTPDriver {
	d := &onebidv1.HTTPDriver{
		BaseURL:           "http://127.0.0.1:1",
		Headers:           []onebidv1.HTTPParameter{{Name: "Authorization", Value: "'Bearer ' + secret.token"}},
		IdempotencyHeader: "Idempotency-Key",
		Place: onebidv1.HTTPPlace{Request: onebidv1.HTTPRequest{
			Method: "POST", Path: "'/bids'", Body: "{'posting': bid.postingID, 'text': bid.proposal}",
		}},
		Lookup: onebidv1.HTTPBidList{
			Request: onebidv1.HTTPRequest{
				Method: "GET", Path: "'/bids'", Query: []onebidv1.HTTPParameter{{Name: "posting", Value: "bid.postingID"}},
			},
			Items: "response.body.items",
			Next:  "has(response.body.next) ? {'page': string(response.body.next)} : {}",
		},
		List:     &onebidv1.HTTPBidList{Request: onebidv1.HTTPRequest{Method: "GET", Path: "'/bids'"}, Items: "response.body.items"},
		Get:      &onebidv1.HTTPGet{Request: onebidv1.HTTPRequest{Method: "GET", Path: "'/bids/' + pathEscape(remote.id)"}},
		Withdraw: &onebidv1.HTTPWithdraw{Request: onebidv1.HTTPRequest{Method: "DELETE", Path: "'/bids/' + pathEscape(remote.id)"}},
		Bid:      onebidv1.HTTPBidMapping{ID: "item.id", PostingID: "item.posting", State: "item.state"},
		States:   []onebidv1.HTTPStateRule{{Word: "live", State: onebidv1.RemoteLive}, {Word: "gone", State: onebidv1.RemoteWithdrawn}},
	}
	if change != nil {
		change(d)
	}
	return d
}

// seen is a request as the server saw it.
type seen struct {
	method, uri, body string
	header            http.Header
}

// server answers with what the test says and remembers the requests.
type server struct {
	*httptest.Server

	mu   sync.Mutex
	seen []seen
}

func serve(t *testing.T, answer http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, seen{r.Method, r.RequestURI, string(body), r.Header})
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// reply always answers the same.
func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// pages answers each request with the next of the bodies.
func pages(bodies ...string) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if len(bodies) == 0 {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		_, _ = io.WriteString(w, bodies[0])
		bodies = bodies[1:]
	}
}

func (s *server) requests() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// driver of the spec at the address.
func driver(t *testing.T, spec *onebidv1.HTTPDriver, address string) *httpdriver.Driver {
	t.Helper()
	return driverWith(t, spec, address, wire.Options{})
}

func driverWith(t *testing.T, spec *onebidv1.HTTPDriver, address string, o wire.Options) *httpdriver.Driver {
	t.Helper()
	spec.BaseURL = address
	o.Egress = inside(t)
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	d, err := httpdriver.New(t.Context(), spec, map[string][]byte{"token": []byte(token)}, o)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

// bid is a request to place one.
func bid() marketplace.PlaceRequest {
	return marketplace.PlaceRequest{
		PostingID: "p1", Price: onebidv1.Money{Amount: "12.50", Currency: "USD"}, Proposal: text, IdempotencyKey: "key-1",
	}
}

var ref = marketplace.Ref{BidID: "b1", PostingID: "p1"}

// beOf matches errors of a class.
func beOf(class onebidv1.ErrorClass) OmegaMatcher {
	return WithTransform(marketplace.ClassOf, Equal(class))
}
