package scanner_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/pkg/scanner"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

func TestWhatIsCreated(t *testing.T) {
	w := newWorld(t)
	s, _ := w.scanner()
	given := posting("Job/7", func(p *onebidv1.Posting) {
		p.Labels = map[string]string{"team": "a"}
		p.Spec.CachedAt = &metav1.Time{Time: time.Now().Add(-time.Hour)}
	})
	var evaluated *onebidv1.Posting
	result := w.process(s, given, func(ctx context.Context, p *onebidv1.Posting) (scanner.Verdict, error) {
		evaluated = p
		return suitable(ctx, p)
	})
	w.Expect(result.Evaluated).To(BeTrue())
	w.Expect(result.Reason).To(Equal("good"))
	w.Expect(given.Name).To(BeEmpty(), "what was given is not changed")
	w.Expect(evaluated.Name).To(Equal(build.Name(marketName, "Job/7")))

	stored := w.posting("Job/7")
	w.Expect(stored.Labels).To(HaveKeyWithValue("team", "a"))
	w.Expect(stored.Spec.Title).To(Equal("Posting Job/7"))
	w.Expect(stored.Spec.CachedAt.Time).To(BeTemporally("~", time.Now().Add(-time.Hour), time.Minute))
	w.Expect(w.bids()).To(HaveLen(1))
	bid := w.bids()[0]
	w.Expect(bid.UID).To(Equal(result.Bid.UID))
	w.Expect(bid.Spec.PostingID).To(Equal("Job/7"))
	w.Expect(bid.Spec.Proposal).To(Equal("I can do it."))
	w.Expect(bid.Spec.PostingCachedAt.Time).To(BeTemporally("==", stored.Spec.CachedAt.Time))
	w.Expect(w.leases()).To(HaveLen(1), "the Lease is the controller's to take")

	w.process(s, posting("no"), unsuitable)
	verdict := w.posting("no").Spec.Evaluation
	w.Expect(verdict.Suitable).To(HaveValue(BeFalse()))
	w.Expect(verdict.Score).To(HaveValue(BeEquivalentTo(12)))
	w.Expect(verdict.Reason).To(Equal("too small"))
	w.Expect(verdict.By).To(Equal("tester"))
	w.Expect(verdict.EvaluatedAt.Time).To(BeTemporally("~", time.Now(), time.Minute))
	w.Expect(w.leases()).To(HaveLen(1), "this one was given back")
}

// Everything that keeps a posting from being evaluated, and what Process and ShouldBid say about it.
func TestReasonsNotToBid(t *testing.T) {
	w := newWorld(t)
	w.create(build.Bid(w.ns, marketName, "bid"))
	w.create(w.claim("bid"))
	w.create(build.Posting(w.ns, marketName, "closed", func(p *onebidv1.Posting) { p.Spec.Closed = new(true) }))
	w.create(build.Posting(w.ns, marketName, "judged", func(p *onebidv1.Posting) {
		p.Spec.Evaluation = &onebidv1.PostingEvaluation{Suitable: new(false), Reason: "spam"}
	}))
	until := time.Now().Add(time.Minute)
	w.create(w.tombstone("settled", until))
	w.create(build.Bid(w.ns, marketName, "over"))
	w.create(w.tombstone("over", until))
	for _, c := range []struct {
		why     string
		posting *onebidv1.Posting
		want    scanner.Outcome
		reason  string
	}{
		{"somebody created a Bid by hand, without a Posting", posting("bid"), scanner.Duplicate, "there is a Bid already"},
		{"somebody closed the Posting", posting("closed"), scanner.Closed, "spec.closed is true"},
		{"the scanner knows that it is closed", posting("x", func(p *onebidv1.Posting) { p.Spec.Closed = new(true) }),
			scanner.Closed, "spec.closed is true"},
		{"its time is over", posting("x", func(p *onebidv1.Posting) {
			p.Spec.ClosesAt = &metav1.Time{Time: time.Now().Add(-time.Minute)}
		}), scanner.Closed, "The posting closed at"},
		{"it was read two days ago", posting("x", func(p *onebidv1.Posting) {
			p.Spec.CachedAt = &metav1.Time{Time: time.Now().Add(-48 * time.Hour)}
		}), scanner.Stale, "is good for 24h0m0s"},
		{"it was evaluated before", posting("judged"), scanner.NotSuitable, "spam"},
		{"a bid on it was withdrawn", posting("settled"), scanner.CoolingDown, "ended as Withdrawn"},
		{"that bid's Bid is still there", posting("over"), scanner.Duplicate, "there is a Bid already"},
	} {
		for _, kind := range []string{lock.Lease, lock.Memory} {
			s, _ := w.scanner(locks(scanner.Locks{Type: kind}))
			result := w.process(s, c.posting, w.never())
			w.Expect(result.Outcome).To(Equal(c.want), "%s, %s", c.why, kind)
			w.Expect(result.Reason).To(ContainSubstring(c.reason), c.why)
			w.Expect(result.Evaluated).To(BeFalse())
			should, err := s.ShouldBid(t.Context(), c.posting)
			w.Expect(err).NotTo(HaveOccurred())
			w.Expect(should.Outcome).To(Equal(c.want), c.why)
			if c.want == scanner.CoolingDown {
				w.Expect(result.Until).To(BeTemporally("~", until, time.Second))
			}
		}
	}
	w.Expect(w.bids()).To(HaveLen(2))
	w.Expect(w.leases()).To(HaveLen(3), "no lock was left behind")
}

func TestMarketplacesThatTakeNoBids(t *testing.T) {
	w := newWorld(t, func(m *onebidv1.Marketplace) { m.Spec.Mode = onebidv1.ModeSuspended })
	s, wire := w.scanner()
	w.Expect(w.process(s, posting("1"), w.never())).To(Equal(scanner.Result{
		Outcome: scanner.Paused, Reason: `Marketplace "freelancer" is suspended`,
	}))
	w.Expect(wire.Sent()).To(Equal([]string{"GET marketplaces"}))

	market := &onebidv1.Marketplace{}
	market.Namespace, market.Name = w.ns, marketName
	w.Expect(env.Client.Get(t.Context(), client.ObjectKeyFromObject(market), market)).To(Succeed())
	market.Finalizers = []string{onebidv1.FinalizerInUse}
	market.Spec.Mode = onebidv1.ModeLive
	w.Expect(env.Client.Update(t.Context(), market)).To(Succeed())
	w.Expect(env.Client.Delete(t.Context(), market)).To(Succeed())
	late, _ := w.scanner()
	w.Expect(w.process(late, posting("1"), w.never()).Reason).To(Equal(`Marketplace "freelancer" is being deleted`))

	other, _ := w.scanner(func(o *scanner.Options) { o.Marketplace = "nowhere" })
	for _, call := range []func() error{
		func() error { _, err := other.Process(t.Context(), posting("1"), w.never()); return err },
		func() error { _, err := other.ShouldBid(t.Context(), posting("1")); return err },
		func() error { _, err := other.Acquire(t.Context(), "1"); return err },
		func() error { return other.WithLock(t.Context(), "1", nil) },
	} {
		err := call()
		missing, ok := errors.AsType[*scanner.MarketplaceNotFoundError](err)
		w.Expect(ok).To(BeTrue(), "%v", err)
		w.Expect(missing).To(MatchError(ContainSubstring(`there is no Marketplace "nowhere" in namespace "` + w.ns)))
	}
}

// A scanner that runs for long notices within seconds that its Marketplace was suspended.
func TestMarketplaceIsReadAgain(t *testing.T) {
	w := newWorld(t)
	clk := &hasty{}
	s, wire := w.scanner(func(o *scanner.Options) { o.Clock = clk })
	w.process(s, posting("1"), suitable)
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"mode":"Suspended"}}`))
	market := &onebidv1.Marketplace{}
	market.Namespace, market.Name = w.ns, marketName
	w.Expect(env.Client.Patch(t.Context(), market, patch)).To(Succeed())
	w.Expect(w.process(s, posting("2"), unsuitable).Outcome).To(Equal(scanner.NotSuitable), "it is believed for 10 s")
	clk.ahead.Store(int64(10 * time.Second))
	w.Expect(w.process(s, posting("3"), w.never()).Outcome).To(Equal(scanner.Paused))

	clk.ahead.Store(int64(20 * time.Second))
	wire.Spoil(refusing("GET marketplaces", http.StatusForbidden))
	for range 2 {
		_, err := s.Process(t.Context(), posting("4"), w.never())
		w.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "nothing is believed that may be wrong: %v", err)
	}
}

func TestKeysThatAreNotOurs(t *testing.T) {
	w := newWorld(t)
	s, _ := w.scanner()
	for _, p := range []*onebidv1.Posting{posting(""), posting("1", func(p *onebidv1.Posting) { p.Spec.Marketplace = "other" })} {
		_, err := s.Process(t.Context(), p, w.never())
		_, ok := errors.AsType[*onebidv1.KeyError](err)
		w.Expect(ok).To(BeTrue(), "%v", err)
		_, err = s.ShouldBid(t.Context(), p)
		w.Expect(err).To(HaveOccurred())
	}
	_, err := s.Acquire(t.Context(), "")
	_, ok := errors.AsType[*onebidv1.KeyError](err)
	w.Expect(ok).To(BeTrue(), "%v", err)
}
