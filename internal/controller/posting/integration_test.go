package posting_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/controller/posting"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

func ended(bid *onebidv1.Bid, outcome onebidv1.BidState, second int64) onebidv1.BidRecord {
	return onebidv1.BidRecord{UID: string(bid.UID), Outcome: outcome, EndedAt: new(metav1.Unix(second, 0))}
}

func (f *fixture) kstatus(of client.Object) status.Status {
	f.t.Helper()
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(f.get(of))
	f.Expect(err).NotTo(HaveOccurred())
	u := &unstructured.Unstructured{Object: object}
	u.SetGroupVersionKind(onebidv1.GroupVersion.WithKind("Posting"))
	result, err := status.Compute(u)
	f.Expect(err).NotTo(HaveOccurred())
	return result.Status
}

func TestFreshnessEndsWhenItIsDue(t *testing.T) {
	f := start(t)
	p := build.Posting(f.ns, "m", "1", func(p *onebidv1.Posting) { p.Spec.TTLSeconds = 3600 })
	f.members.set(true)
	f.create(p)
	f.Expect(f.kstatus(p)).To(Equal(status.InProgressStatus))
	f.members.set(false)
	read := p.CreationTimestamp.UTC().Format(time.RFC3339)
	f.Eventually(f.condition(p, "Fresh")).Should(Equal("True Fresh: The posting was read at " + read + " and is good for 1h0m0s"))
	f.Expect(f.kstatus(p)).To(Equal(status.CurrentStatus))
	f.Expect(f.condition(p, "Claimed")()).To(Equal("False NoBid: No bid of ours is active on the posting"))
	f.Eventually(f.clock.HasWaiters).Should(BeTrue())

	before := f.writes()
	f.clock.SetTime(p.CreationTimestamp.Add(time.Hour - time.Second))
	f.Consistently(f.condition(p, "Fresh")).WithTimeout(200 * time.Millisecond).Should(HavePrefix("True"))
	f.Expect(f.writes().Since(before)).To(BeEmpty(), "nothing is written while nothing changes")
	f.Eventually(func() string { // whatever is put into the queue after one step is due at the next
		f.clock.Step(time.Second)
		return f.condition(p, "Fresh")()
	}).Should(Equal("False Stale: The posting was read at " + read +
		" and is good for 1h0m0s; read it again and set spec.cachedAt of the Posting"))
	f.Expect(f.writes().Since(before).Total()).To(Equal(1))
	f.Expect(f.kstatus(p)).To(Equal(status.CurrentStatus), "stale is a fact and no failure")

	f.Expect(env.Client.Patch(t.Context(), p, client.RawPatch(types.MergePatchType, []byte(fmt.Sprintf(
		`{"metadata":{"annotations":{"onebid.dev/reconcile-requested-at":"x"}},"spec":{"cachedAt":%q}}`,
		f.clock.Now().UTC().Format(time.RFC3339)))))).
		To(Succeed())
	f.Eventually(f.condition(p, "Fresh")).Should(HavePrefix("True Fresh"), "read again")
	f.Expect(f.get(p).Status.LastHandledReconcileAt).To(Equal("x"))
	f.Expect(env.Client.Patch(t.Context(), p, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"closed":true}}`)))).To(Succeed())
	f.Eventually(f.condition(p, "Fresh")).Should(Equal("False Closed: The posting takes no bids any more: spec.closed is true"))
}

func TestMarketplaceChangesItsTTL(t *testing.T) {
	f := start(t)
	p, market := build.Posting(f.ns, "m", "1"), build.Marketplace(f.ns, "m", "https://example.com")
	f.create(p)
	f.Eventually(f.condition(p, "Fresh")).Should(HaveSuffix("is good for 24h0m0s"), "without a Marketplace a day is as good as any")
	market.Spec.PostingTTLSeconds = 7200
	f.create(market)
	f.Eventually(f.condition(p, "Fresh")).Should(HaveSuffix("is good for 2h0m0s"))
	market.Spec.PostingTTLSeconds = 3600
	f.Expect(env.Client.Update(t.Context(), market)).To(Succeed())
	f.Eventually(f.condition(p, "Fresh")).Should(HaveSuffix("is good for 1h0m0s"))
	f.Expect(env.Client.Delete(t.Context(), market)).To(Succeed())
	f.Eventually(f.condition(p, "Fresh")).Should(HaveSuffix("is good for 24h0m0s"))
}

func TestLifeOfABidOnItsPosting(t *testing.T) {
	f := start(t)
	p, bid := build.Posting(f.ns, "m", "1"), build.Bid(f.ns, "m", "1")
	f.create(p, bid)
	f.Eventually(f.condition(p, "Claimed")).Should(HavePrefix("False"))
	f.settled(p)
	before := f.writes()
	f.activate(bid)
	f.Expect(f.recorder.BidActive(t.Context(), bid)).To(Succeed())
	f.Expect(f.condition(p, "Claimed")()).To(Equal(`True BidActive: Bid "m.1" is active on the posting`))
	f.Expect(f.get(p).Status.ActiveBid).To(Equal(&onebidv1.ActiveBid{Name: "m.1", UID: string(bid.UID), Since: new(metav1.Unix(1000, 0))}))
	f.settled(p)
	f.Expect(f.recorder.BidActive(t.Context(), bid)).To(Succeed())
	f.clock.Step(time.Minute)
	f.Consistently(func() int { return f.writes().Since(before).Total() }).WithTimeout(300*time.Millisecond).
		Should(Equal(1), "one write, and none by the recheck")

	f.Expect(f.recorder.BidEnded(t.Context(), bid, ended(bid, onebidv1.StateWithdrawn, 1))).To(Succeed())
	f.settled(p)
	f.Expect(f.recorder.BidEnded(t.Context(), bid, ended(bid, onebidv1.StateWithdrawn, 2))).To(Succeed())
	f.Expect(f.writes().Since(before).Total()).To(Equal(2))
	f.Expect(f.condition(p, "Claimed")()).To(HavePrefix("False NoBid"))
	f.Expect(f.recorder.BidEnded(t.Context(), bid, ended(bid, onebidv1.StateRejected, 3))).To(Succeed())
	f.Expect(f.get(p).Status.History).To(Equal([]onebidv1.BidRecord{ended(bid, onebidv1.StateRejected, 3)}))
	f.settled(p)
	f.Expect(f.recorder.BidActive(t.Context(), bid)).To(Succeed(), "a note that comes late changes nothing")
	f.Expect(f.active(p)()).To(BeEmpty())
}

// settled waits until the cache has the newest version of a Posting.
func (f *fixture) settled(p *onebidv1.Posting) {
	f.t.Helper()
	f.Eventually(func() string {
		cached := &onebidv1.Posting{}
		f.Expect(f.cached.Get(f.t.Context(), client.ObjectKeyFromObject(p), cached)).To(Succeed())
		return cached.ResourceVersion
	}).Should(Equal(f.get(p).ResourceVersion))
}

func TestBidWithoutAPostingCostsNothing(t *testing.T) {
	f := start(t)
	bid := build.Bid(f.ns, "m", "1")
	f.create(bid)
	before, err := env.Requests(t.Context())
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(f.recorder.BidActive(t.Context(), bid)).To(Succeed())
	f.Expect(f.recorder.BidEnded(t.Context(), bid, ended(bid, onebidv1.StateLost, 1))).To(Succeed())
	after, err := env.Requests(t.Context())
	f.Expect(err).NotTo(HaveOccurred())
	for request := range after.Since(before) {
		f.Expect(request.Resource).NotTo(Equal("postings"))
	}
	bid.Spec.PostingID = ""
	f.Expect(f.recorder.BidActive(t.Context(), bid)).To(MatchError(ContainSubstring("postingID")))
}

func TestPostingThatComesAfterItsBid(t *testing.T) {
	f := start(t)
	bid, p := build.Bid(f.ns, "m", "1"), build.Posting(f.ns, "m", "1")
	f.create(bid)
	f.activate(bid)
	f.Eventually(func() int {
		cached := &onebidv1.Bid{}
		f.Expect(client.IgnoreNotFound(f.cached.Get(t.Context(), client.ObjectKeyFromObject(bid), cached))).To(Succeed())
		return len(cached.Status.Conditions)
	}).Should(Equal(1))
	f.create(p)
	f.Eventually(f.active(p)).Should(Equal(string(bid.UID)))
	f.Expect(f.condition(p, "Claimed")()).To(HavePrefix("True BidActive"))
}

func TestWhatTheBidControllerCouldNotSayIsMadeUpFor(t *testing.T) {
	f := start(t)
	bid, p := build.Bid(f.ns, "m", "1"), build.Posting(f.ns, "m", "1")
	f.create(bid, p)
	f.Eventually(f.condition(p, "Claimed")).Should(HavePrefix("False"))
	stepped := func(get func() string) func() string {
		return func() string {
			f.clock.Step(time.Second)
			return get()
		}
	}
	f.activate(bid)
	f.Eventually(stepped(f.active(p))).Should(Equal(string(bid.UID)), "the recheck")
	bid.Status.Outcome = onebidv1.StateLost
	f.Expect(env.Client.Status().Update(t.Context(), bid)).To(Succeed())
	f.Eventually(stepped(f.active(p))).Should(BeEmpty(), "the recheck")
	bid.Status.Outcome = ""
	f.Expect(env.Client.Status().Update(t.Context(), bid)).To(Succeed())
	f.Eventually(stepped(f.active(p))).Should(Equal(string(bid.UID)))
	f.Expect(env.Client.Delete(t.Context(), bid)).To(Succeed())
	f.Eventually(f.active(p)).Should(BeEmpty(), "gone is gone, at once")
}

func TestOnlyTheActingReplicaWrites(t *testing.T) {
	f := start(t)
	f.members.set(true)
	p := build.Posting(f.ns, "m", "1")
	f.create(p)
	f.Consistently(func() int64 { return f.get(p).Status.ObservedGeneration }).WithTimeout(200 * time.Millisecond).Should(Equal(int64(-1)))
	f.members.set(false)
	f.Eventually(f.condition(p, "Ready")).Should(HavePrefix("True Observed"))
}

// Fifty writers, all of whom read the same old version from the cache.
func TestRecorderRaces(t *testing.T) {
	f := start(t)
	p := build.Posting(f.ns, "m", "1")
	f.create(p)
	f.Eventually(f.condition(p, "Ready")).Should(HavePrefix("True"))
	f.settled(p)

	const bids = 8
	patient := posting.NewRecorder(f.cached, env.Client, f.clock) // on a slow machine a write may lose more often than is usual
	patient.Backoff = wait.Backoff{Duration: 20 * time.Millisecond, Factor: 1, Jitter: 2, Steps: 200}
	var all sync.WaitGroup
	errs := make(chan error, 50)
	for i := range 50 {
		bid := build.Bid(f.ns, "m", "1")
		bid.UID = types.UID(fmt.Sprint(i % bids))
		all.Go(func() {
			switch i % 3 {
			case 0:
				errs <- patient.BidActive(t.Context(), bid)
			case 1:
				errs <- patient.BidEnded(t.Context(), bid, ended(bid, onebidv1.StateWithdrawn, 1))
			default:
				errs <- patient.BidEnded(t.Context(), bid, ended(bid, onebidv1.StateRejected, 2))
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		f.Expect(err).NotTo(HaveOccurred())
	}
	got := f.get(p).Status
	seen := map[string]onebidv1.BidState{}
	for _, record := range got.History {
		f.Expect(seen).NotTo(HaveKey(record.UID))
		seen[record.UID] = record.Outcome
	}
	f.Expect(seen).To(HaveLen(bids))
	for uid, outcome := range seen {
		f.Expect(outcome).To(Equal(onebidv1.StateRejected), "Bid "+uid+": every one was rejected in the end")
	}
	f.Expect(got.ActiveBid).To(BeNil())
	f.Expect(f.condition(p, "Claimed")()).To(HavePrefix("False NoBid"))
}

func TestFirstWriteIsWhole(t *testing.T) {
	f := start(t)
	f.members.set(true)
	p, bid := build.Posting(f.ns, "m", "1"), build.Bid(f.ns, "m", "1")
	f.create(p, bid)
	f.settled(p)
	before := f.writes()
	f.Expect(f.recorder.BidActive(t.Context(), bid)).To(Succeed())
	f.Expect(f.writes().Since(before).Total()).To(Equal(1))
	f.Expect(f.condition(p, "Fresh")()).To(HavePrefix("True Fresh"), "though the Posting's own controller was never here")
	f.Expect(f.kstatus(p)).To(Equal(status.CurrentStatus))

	f.settled(p)
	f.clock.Step(48 * time.Hour)
	f.Expect(f.recorder.BidActive(t.Context(), bid)).To(Succeed())
	f.Expect(f.writes().Since(before).Total()).To(Equal(1), "that it turned stale is for whoever acts to say")
}

// After a conflict what counts is what is there, and nothing of what the cache had shown.
func TestConflictStartsFromWhatIsThere(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	p, bid := build.Posting(ns, "m", "1"), build.Bid(ns, "m", "1")
	bid.UID = "new"
	g.Expect(env.Client.Create(t.Context(), p)).To(Succeed())
	old := p.DeepCopy()
	old.Status.History = []onebidv1.BidRecord{{UID: "old", Outcome: onebidv1.StateLost}}
	p.Labels = map[string]string{"a": "b"}
	g.Expect(env.Client.Update(t.Context(), p)).To(Succeed())
	recorder := posting.NewRecorder(showing(old), env.Client, clock.RealClock{})
	g.Expect(recorder.BidEnded(t.Context(), bid, ended(bid, onebidv1.StateLost, 1))).To(Succeed())
	g.Expect(env.Client.Get(t.Context(), client.ObjectKeyFromObject(p), p)).To(Succeed())
	g.Expect(p.Status.History).To(Equal([]onebidv1.BidRecord{ended(bid, onebidv1.StateLost, 1)}))
}

// showing is a client whose cache lags behind.
func showing(old *onebidv1.Posting) client.Client {
	return interceptor.NewClient(env.Client, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if cached, ok := o.(*onebidv1.Posting); ok {
				old.DeepCopyInto(cached)
				return nil
			}
			return c.Get(ctx, key, o, opts...)
		},
	})
}

func TestConflictsAreBounded(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	p, bid := build.Posting(ns, "m", "1"), build.Bid(ns, "m", "1")
	g.Expect(env.Client.Create(t.Context(), p)).To(Succeed())
	attempts := 0
	contended := interceptor.NewClient(env.Client, interceptor.Funcs{
		SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
			attempts++
			return apierrors.NewConflict(onebidv1.Resource("postings"), p.Name, errors.New("somebody else was faster"))
		},
	})
	recorder := posting.NewRecorder(contended, env.Client, clock.RealClock{})
	recorder.Backoff = wait.Backoff{Steps: 3}
	g.Expect(recorder.BidActive(t.Context(), bid)).To(MatchError(And(
		ContainSubstring("recording on Posting "+ns+"/m.1"), ContainSubstring("somebody else was faster"))))
	g.Expect(attempts).To(Equal(3))
}

// The cache still shows a Posting that was deleted and created anew: nothing of the old one is written to the new one.
func TestAPostingCreatedAnewIsAnotherOne(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	p, bid := build.Posting(ns, "m", "1"), build.Bid(ns, "m", "1")
	g.Expect(env.Client.Create(t.Context(), p)).To(Succeed())
	old := p.DeepCopy()
	g.Expect(env.Client.Delete(t.Context(), p)).To(Succeed())
	p = build.Posting(ns, "m", "1")
	g.Expect(env.Client.Create(t.Context(), p)).To(Succeed())
	recorder := posting.NewRecorder(showing(old), env.Client, clock.RealClock{})
	g.Expect(recorder.BidActive(t.Context(), bid)).To(Succeed())
	g.Expect(env.Client.Get(t.Context(), client.ObjectKeyFromObject(p), p)).To(Succeed())
	g.Expect(p.Status.ActiveBid).To(BeNil())
	g.Expect(p.Status.ObservedGeneration).To(Equal(int64(-1)))
}
