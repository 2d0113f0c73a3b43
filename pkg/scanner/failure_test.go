package scanner_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/pkg/scanner"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

var errNetwork = errors.New("the network is down")

// refusing answers with a status of the API server in its place.
func refusing(what string, status int) spoiler {
	return func(sent string, send sender) (*http.Response, error) {
		if sent != what {
			return send()
		}
		response, err := send()
		if err == nil {
			_ = response.Body.Close()
			response = &http.Response{
				StatusCode: status, Status: http.StatusText(status), Body: http.NoBody, Header: http.Header{}, Request: response.Request,
			}
		}
		return response, err
	}
}

// Whatever request fails for good, Process says so, gives the lock back, and the posting can be processed again.
func TestEachRequestMayFail(t *testing.T) {
	w := newWorld(t)
	w.create(build.Posting(w.ns, marketName, "known"))
	w.create(build.Posting(w.ns, marketName, "known2"))
	w.create(w.tombstone("b", time.Now().Add(-time.Minute)))
	for _, c := range []struct {
		what, kind, id string
		evaluate       scanner.Evaluate
		seen           bool
	}{
		{"GET marketplaces", lock.Lease, "a", suitable, false},
		{"GET bids", lock.Lease, "b", suitable, false},
		{"GET bids", lock.Lease, "known2", suitable, false},
		{"GET postings", lock.Lease, "c", suitable, true},
		{"POST leases", lock.Lease, "d", suitable, false},
		{"GET leases", lock.Memory, "e", suitable, false},
		{"POST postings", lock.Lease, "f", suitable, false},
		{"GET postings", lock.Lease, "known", suitable, false},
		{"POST bids", lock.Lease, "g", suitable, false},
		{"PATCH postings", lock.Lease, "h", unsuitable, false},
	} {
		s, wire := w.scanner(locks(scanner.Locks{Type: c.kind, Retries: -1}))
		if c.seen {
			w.Expect(w.process(s, posting(c.id), unsuitable).Outcome).To(Equal(scanner.NotSuitable))
		}
		wire.Spoil(refusing(c.what, http.StatusForbidden))
		_, err := s.Process(t.Context(), posting(c.id), c.evaluate)
		w.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%s: %v", c.what, err)
	}
	for _, lease := range w.leases() {
		if ptr.Deref(lease.Spec.HolderIdentity, "") != "" {
			w.Expect(lease.Name).To(HaveSuffix(".d"), "only a lock whose reply was lost is left")
		}
	}
	s, wire := w.scanner()
	wire.Spoil(refusing("GET leases", http.StatusForbidden))
	_, err := s.ShouldBid(t.Context(), posting("i"))
	w.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
}

// What passes is tried again: an evaluation that was paid for is not thrown away.
func TestResultsArePersisted(t *testing.T) {
	w := newWorld(t)
	s, wire := w.scanner()
	lost := func(what string, carriedOut bool) spoiler {
		first := true
		return func(sent string, send sender) (*http.Response, error) {
			if sent != what || !first {
				return send()
			}
			first = false
			if carriedOut {
				response, err := send()
				w.Expect(err).NotTo(HaveOccurred())
				_ = response.Body.Close()
			}
			return nil, errNetwork
		}
	}
	wire.Spoil(lost("POST bids", false))
	w.Expect(w.process(s, posting("1"), suitable).Outcome).To(Equal(scanner.Created))
	wire.Spoil(lost("POST bids", true))
	result := w.process(s, posting("2"), suitable)
	w.Expect(result.Outcome).To(Equal(scanner.Created), "it is our own that is there")
	w.Expect(result.Bid.UID).NotTo(BeEmpty())
	wire.Spoil(lost("PATCH postings", true))
	w.Expect(w.process(s, posting("3"), unsuitable).Outcome).To(Equal(scanner.NotSuitable))

	// Somebody else's, while the first attempt was lost.
	wire.Spoil(lost("POST bids", false))
	w.Expect(w.process(s, posting("4"), func(ctx context.Context, p *onebidv1.Posting) (scanner.Verdict, error) {
		w.Expect(env.Client.Create(ctx, build.Bid(w.ns, marketName, "4"))).To(Succeed())
		return suitable(ctx, p)
	})).To(Equal(scanner.Result{Outcome: scanner.Duplicate, Reason: "another Bid was created meanwhile", Evaluated: true}))
	w.Expect(w.bids()).To(HaveLen(3))

	ctx, cancel := context.WithCancel(t.Context())
	wire.Spoil(func(sent string, send sender) (*http.Response, error) {
		if sent == "POST bids" {
			time.AfterFunc(10*time.Millisecond, cancel)
			return nil, errNetwork
		}
		return send()
	})
	_, err := s.Process(ctx, posting("5"), suitable)
	w.Expect(err).To(MatchError(ContainSubstring("create Bid freelancer.5")))
	for _, lease := range w.leases() {
		w.Expect(lease.Name).NotTo(HaveSuffix(".5"), "it is given back all the same")
	}
}

func TestEvaluateFails(t *testing.T) {
	w := newWorld(t)
	s, _ := w.scanner()
	_, err := s.Process(t.Context(), posting("1"), func(context.Context, *onebidv1.Posting) (scanner.Verdict, error) {
		return scanner.Verdict{}, errNetwork
	})
	failed, ok := errors.AsType[*scanner.EvaluationError](err)
	w.Expect(ok).To(BeTrue(), "%v", err)
	w.Expect(failed).To(MatchError(`evaluate posting "1": the network is down`))
	w.Expect(err).To(MatchError(errNetwork))
	w.Expect(func() {
		_, _ = s.Process(t.Context(), posting("1"), func(context.Context, *onebidv1.Posting) (scanner.Verdict, error) { panic("oops") })
	}).To(PanicWith("oops"))
	w.Expect(w.leases()).To(BeEmpty())
	w.Expect(w.process(s, posting("1"), suitable).Outcome).To(Equal(scanner.Created))

	_, err = s.Process(t.Context(), posting("2"), func(context.Context, *onebidv1.Posting) (scanner.Verdict, error) {
		return scanner.Verdict{Suitable: true}, nil
	})
	w.Expect(apierrors.IsInvalid(err)).To(BeTrue(), "a Bid needs a price: %v", err)
	_, err = s.Process(t.Context(), posting("3"), func(context.Context, *onebidv1.Posting) (scanner.Verdict, error) {
		return scanner.Verdict{Reason: strings.Repeat("ü", 2000)}, nil
	})
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect([]rune(w.posting("3").Spec.Evaluation.Reason)).To(HaveLen(1024))
}

// Who waits and is told nothing looks once more before it gives up.
func TestWaitingWithoutNews(t *testing.T) {
	w := newWorld(t)
	holder, _ := w.scanner()
	for _, c := range []struct {
		why   string
		spoil spoiler
	}{
		{"the watches are refused", func(sent string, send sender) (*http.Response, error) {
			if sent == "WATCH bids" || sent == "WATCH postings" {
				return nil, errNetwork
			}
			return send()
		}},
		{"the watches end", func(sent string, send sender) (*http.Response, error) {
			response, err := send()
			if err == nil && (sent == "WATCH bids" || sent == "WATCH postings") {
				_ = response.Body.Close()
				response.Body = http.NoBody
			}
			return response, err
		}},
	} {
		held, err := holder.Acquire(t.Context(), "1")
		w.Expect(err).NotTo(HaveOccurred())
		s, wire := w.scanner(locks(scanner.Locks{Timeout: 100 * time.Millisecond}))
		wire.Spoil(c.spoil)
		result := w.process(s, posting("1"), w.never())
		w.Expect(result.Outcome).To(Equal(scanner.LockTimeout), c.why)
		w.Expect(result.Reason).To(ContainSubstring("locked by scanner/tester_"), c.why)
		w.Expect(result.Until).To(BeTemporally("~", time.Now().Add(300*time.Second), 10*time.Second), c.why)

		s, wire = w.scanner(locks(scanner.Locks{Timeout: 100 * time.Millisecond}))
		wire.Spoil(func(sent string, send sender) (*http.Response, error) {
			if sent == "WATCH leases" {
				w.create(build.Bid(w.ns, marketName, "1"))
			}
			return c.spoil(sent, send)
		})
		w.Expect(w.process(s, posting("1"), w.never()).Outcome).To(Equal(scanner.Duplicate), c.why)
		w.Expect(env.Client.Delete(t.Context(), build.Bid(w.ns, marketName, "1"))).To(Succeed())
		w.dropFinalizer("1")
		w.Expect(holder.Release(t.Context(), held)).To(Succeed())
	}

	// One that does not wait at all is told at once.
	held, err := holder.Acquire(t.Context(), "1")
	w.Expect(err).NotTo(HaveOccurred())
	s, _ := w.scanner(locks(scanner.Locks{Timeout: -1}))
	w.Expect(w.process(s, posting("1"), w.never()).Outcome).To(Equal(scanner.LockTimeout))
	w.Expect(holder.Release(t.Context(), held)).To(Succeed())
}

// What happens while one waits for the lock: only what decides the posting ends the wait.
func TestNews(t *testing.T) {
	w := newWorld(t)
	holder, _ := w.scanner()
	held, err := holder.Acquire(t.Context(), "1")
	w.Expect(err).NotTo(HaveOccurred())
	s, wire := w.scanner()
	ended := make(chan scanner.Result, 1)
	go func() {
		result, err := s.Process(t.Context(), posting("1"), suitable)
		w.Expect(err).NotTo(HaveOccurred())
		ended <- result
	}()
	w.Eventually(func() bool { return wire.Has("WATCH postings") }, "20s", "5ms").Should(BeTrue())
	w.create(build.Posting(w.ns, marketName, "1"))
	w.Expect(env.Client.Delete(t.Context(), build.Posting(w.ns, marketName, "1"))).To(Succeed())
	w.Consistently(ended, "100ms").ShouldNot(Receive(), "a Posting that comes and goes decides nothing")
	w.Expect(holder.Release(t.Context(), held)).To(Succeed())
	var result scanner.Result
	w.Eventually(ended, "20s").Should(Receive(&result))
	w.Expect(result.Outcome).To(Equal(scanner.Created))
}
