package scanner_test

import (
	"context"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/pkg/scanner"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

var env *testenv.Environment

func TestMain(m *testing.M) { os.Exit(testenv.Main(m, testenv.Options{}, &env)) }

const marketName = "freelancer"

// world is one namespace with a Marketplace, reached with the rights of a scanner and nothing more.
type world struct {
	*WithT
	t    *testing.T
	ns   string
	user *testenv.User
}

func newWorld(t *testing.T, options ...func(*onebidv1.Marketplace)) *world {
	t.Helper()
	ns := env.Namespace(t)
	w := &world{WithT: NewWithT(t), t: t, ns: ns, user: env.AsUser(t, ns, "scanner", "onebid-scanner")}
	w.Expect(env.Client.Create(t.Context(), build.Marketplace(ns, marketName, "https://example.test", options...))).To(Succeed())
	return w
}

// spoiler answers a request such as "POST bids"; sender has the API server carry it out.
type (
	spoiler func(what string, send sender) (*http.Response, error)
	sender  func() (*http.Response, error)
)

// wire notes what one scanner sends, and spoils it.
type wire struct {
	next http.RoundTripper

	mu       sync.Mutex
	requests []string
	// spoil, if set, answers in the API server's place, before or after that did.
	spoil spoiler
}

func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	what := describe(request)
	w.mu.Lock()
	w.requests = append(w.requests, what)
	spoil := w.spoil
	w.mu.Unlock()
	send := func() (*http.Response, error) { return w.next.RoundTrip(request) }
	if spoil != nil {
		return spoil(what, send)
	}
	return send()
}

// describe is as in "POST bids".
func describe(request *http.Request) string {
	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	resource := parts[len(parts)-1]
	for i, part := range parts {
		if part == "namespaces" && i+2 < len(parts) {
			resource = parts[i+2]
		}
	}
	if request.URL.Query().Get("watch") == "true" {
		return path.Join("WATCH " + resource)
	}
	return request.Method + " " + resource
}

// Sent returns what was sent since the last call.
func (w *wire) Sent() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	sent := w.requests
	w.requests = nil
	return sent
}

// Has reports whether such a request was sent since the last call of Sent.
func (w *wire) Has(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.requests, what)
}

func (w *wire) Spoil(spoil spoiler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spoil = spoil
}

// failing answers the given requests with an error, before they are carried out.
func failing(what string, err error) spoiler {
	return func(sent string, send sender) (*http.Response, error) {
		if sent == what {
			return nil, err
		}
		return send()
	}
}

// scanner makes one with Leases, unless told otherwise. Nothing is shared with any other: it stands for a process.
func (w *world) scanner(options ...func(*scanner.Options)) (*scanner.Scanner, *wire) {
	w.t.Helper()
	sent := &wire{}
	config := rest.CopyConfig(w.user.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		sent.next = next
		return sent
	})
	o := scanner.Options{
		Config: config, Namespace: w.ns, Marketplace: marketName, Name: "tester",
		Locks: &scanner.Locks{Type: lock.Lease},
	}
	for _, option := range options {
		option(&o)
	}
	s, err := scanner.New(o)
	w.Expect(err).NotTo(HaveOccurred())
	w.t.Cleanup(func() { _ = s.Close() })
	return s, sent
}

func locks(locks scanner.Locks) func(*scanner.Options) {
	return func(o *scanner.Options) { o.Locks = &locks }
}

// warm makes the scanner read its Marketplace, which it does every 10 s.
func (w *world) warm(s *scanner.Scanner) {
	w.t.Helper()
	result, err := s.ShouldBid(w.t.Context(), posting("warm"))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(result.Outcome).To(Equal(scanner.Open))
}

func posting(id string, options ...func(*onebidv1.Posting)) *onebidv1.Posting {
	p := &onebidv1.Posting{Spec: onebidv1.PostingSpec{PostingID: id, Title: "Posting " + id}}
	for _, option := range options {
		option(p)
	}
	return p
}

func suitable(context.Context, *onebidv1.Posting) (scanner.Verdict, error) {
	return scanner.Verdict{Suitable: true, Reason: "good", Bid: onebidv1.BidSpec{
		Price: onebidv1.Money{Amount: "250", Currency: "USD"}, DeliveryDays: 7, Proposal: "I can do it.",
	}}, nil
}

func unsuitable(context.Context, *onebidv1.Posting) (scanner.Verdict, error) {
	return scanner.Verdict{Score: new(int32(12)), Reason: "too small"}, nil
}

func (w *world) never() scanner.Evaluate {
	return func(context.Context, *onebidv1.Posting) (scanner.Verdict, error) {
		w.t.Error("nobody may pay for this evaluation")
		return scanner.Verdict{}, nil
	}
}

func (w *world) process(s *scanner.Scanner, p *onebidv1.Posting, evaluate scanner.Evaluate) scanner.Result {
	w.t.Helper()
	result, err := s.Process(w.t.Context(), p, evaluate)
	w.Expect(err).NotTo(HaveOccurred())
	return result
}

func (w *world) create(object client.Object) {
	w.t.Helper()
	w.Expect(env.Client.Create(w.t.Context(), object)).To(Succeed())
}

func (w *world) posting(id string) *onebidv1.Posting {
	w.t.Helper()
	p := &onebidv1.Posting{}
	w.Expect(env.Client.Get(w.t.Context(), w.key(id), p)).To(Succeed())
	return p
}

// dropFinalizer lets a Bid that was deleted go, as the controller would.
func (w *world) dropFinalizer(id string) {
	w.t.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
	bid := &onebidv1.Bid{}
	bid.Namespace, bid.Name = w.ns, build.Name(marketName, id)
	w.Expect(client.IgnoreNotFound(env.Client.Patch(w.t.Context(), bid, patch))).To(Succeed())
}

func (w *world) bids() []onebidv1.Bid {
	w.t.Helper()
	var list onebidv1.BidList
	w.Expect(env.Client.List(w.t.Context(), &list, client.InNamespace(w.ns))).To(Succeed())
	return list.Items
}

func (w *world) leases() []coordinationv1.Lease {
	w.t.Helper()
	var list coordinationv1.LeaseList
	w.Expect(env.Client.List(w.t.Context(), &list, client.InNamespace(w.ns))).To(Succeed())
	return list.Items
}

func (w *world) key(id string) client.ObjectKey {
	return client.ObjectKey{Namespace: w.ns, Name: build.Name(marketName, id)}
}

// tombstone is the Lease of a Bid that was settled, as the controller leaves it.
func (w *world) tombstone(id string, until time.Time) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Namespace: w.ns, Name: onebidv1.LeasePrefix + build.Name(marketName, id),
		Annotations: map[string]string{
			onebidv1.AnnotationEndedAt:       until.Add(-time.Minute).Format(time.RFC3339Nano),
			onebidv1.AnnotationCooldownUntil: until.Format(time.RFC3339Nano),
			onebidv1.AnnotationOutcome:       string(onebidv1.StateWithdrawn),
			onebidv1.AnnotationBidUID:        "uid",
		},
	}}
}

// claim is the Lease of a Bid as the controller takes it.
func (w *world) claim(id string) *coordinationv1.Lease {
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.ns, Name: onebidv1.LeasePrefix + build.Name(marketName, id),
			Annotations: map[string]string{onebidv1.AnnotationBidUID: "uid"},
		},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("controller/pod_1"), LeaseDurationSeconds: new(int32(300)), LeaseTransitions: new(int32(0)),
		},
	}
}
