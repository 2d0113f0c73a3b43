package ownership

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/fakeapi"
)

func (w *world) claimed(r *replica, intent *Intent) *Claim {
	w.Helper()
	claim, err := r.Acquire(w.Context(), request("uid-a", intent))
	w.Expect(err).NotTo(HaveOccurred())
	w.api.Requests()
	return claim
}

// stolen lets another process take the posting, as it may once it judges this holder dead.
func (w *world) stolen() {
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) {
		l.Spec.HolderIdentity = ptr.To("pod_1")
		l.Spec.LeaseTransitions = ptr.To(*l.Spec.LeaseTransitions + 1)
	})
}

func TestAuthorizeEndsWithValidity(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	claim := w.claimed(a, placing("uid-a", 1))
	w.clock.Step(4 * time.Second)
	w.Expect(a.Authorize(claim, time.Second)).To(Succeed(), "the margin is left")
	w.clock.Step(1)
	err := a.Authorize(claim, time.Second)
	w.Expect(err).To(MatchError(ContainSubstring("heartbeat is not acknowledged")))
	_, lapsed := errors.AsType[*LapsedError](err)
	w.Expect(lapsed).To(BeTrue())
	_, lapsed = errors.AsType[*LapsedError](a.Assert(t.Context(), claim))
	w.Expect(lapsed).To(BeTrue())
	_, err = a.Acquire(t.Context(), request("uid-a", nil))
	_, lapsed = errors.AsType[*LapsedError](err)
	w.Expect(lapsed).To(BeTrue())
	w.Expect(w.api.Requests()).To(BeEmpty(), "a process that may not act need not ask either")
	_, lapsed = errors.AsType[*LapsedError](a.Authorize(claim, 0))
	w.Expect(lapsed).To(BeTrue(), "a call without a timeout cannot be waited out")
}

// Rule 2: a lapse voids tokens. That the heartbeat is back does not revive what was held.
func TestLapseVoidsTokens(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	claim := w.claimed(a, placing("uid-a", 1))
	w.clock.Step(4*time.Second + 1)
	w.renew(a)
	w.Expect(a.Authorize(claim, time.Second)).To(MatchError(ContainSubstring("had lapsed")))
	w.Expect(a.Assert(t.Context(), claim)).To(Succeed())
	w.Expect(w.api.Requests()).To(Equal([]string{"update"}))
	w.Expect(a.Authorize(claim, time.Second)).To(Succeed())
	w.Expect(a.Assert(t.Context(), claim)).To(Succeed())
	w.Expect(w.api.Requests()).To(BeEmpty(), "once is enough")

	w.clock.Step(5 * time.Second)
	w.renew(a)
	w.stolen()
	err := a.Assert(t.Context(), claim)
	w.Expect(err).To(MatchError(ErrLost))
	w.Expect(err).To(MatchError(ContainSubstring(`held by "pod_1"`)))
	w.Expect(a.Authorize(claim, time.Second)).To(MatchError(ErrLost))
	_, held := a.Held(namespace, leaseName)
	w.Expect(held).To(BeFalse())
}

// A lapse during the very write that asserts a claim leaves it unasserted: what counts is when the write was sent.
func TestLapseDuringAssert(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	claim := w.claimed(a, nil)
	w.clock.Step(5 * time.Second)
	w.renew(a)
	w.api.Hook(func(r fakeapi.Request) {
		if r.Verb == "update" && r.Name == leaseName {
			w.api.Hook(nil)
			w.clock.Step(5 * time.Second)
			w.Expect(a.members.own.renew(t.Context())).To(Succeed())
		}
	})
	w.Expect(a.Assert(t.Context(), claim)).To(Succeed())
	w.Expect(a.Authorize(claim, time.Second)).To(MatchError(ContainSubstring("had lapsed")))
}

// Rule 4: the Lease's own duration bounds its holder too, for competitors that know only Leases.
func TestOwnDurationBoundsTheHolder(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	claim := w.claimed(a, nil)
	bound := DefaultTiming().bound(defaultTTL)
	passed := time.Duration(0)
	for ; passed+3*time.Second <= bound; passed += 3 * time.Second {
		w.clock.Step(3 * time.Second)
		w.renew(a)
	}
	w.clock.Step(bound - passed)
	w.renew(a)
	w.Expect(a.Authorize(claim, time.Second)).To(Succeed())
	w.clock.Step(1)
	w.Expect(a.Authorize(claim, time.Second)).To(MatchError(ContainSubstring("duration of the posting's Lease")))
	w.Expect(a.Assert(t.Context(), claim)).To(Succeed())
	w.Expect(w.api.Requests()).To(Equal([]string{"update"}))
	w.Expect(a.Authorize(claim, time.Second)).To(Succeed())
}

// The same process can hold the Lease again in another term: what is of the old one is over.
func TestAnotherTermOfTheSameHolderIsNotThisClaims(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	claim := w.claimed(a, nil)
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) { *l.Spec.LeaseTransitions++ })
	w.Expect(a.SetIntents(t.Context(), claim, nil)).To(MatchError(ErrLost))
}

func TestAssertSurvivesALostReplyAndAnEdit(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	claim := w.claimed(a, nil)
	w.clock.Step(5 * time.Second)
	w.renew(a)
	w.api.Lose("update")
	w.Expect(a.Assert(t.Context(), claim)).To(MatchError(context.DeadlineExceeded))
	_, lapsed := errors.AsType[*LapsedError](a.Authorize(claim, time.Second))
	w.Expect(lapsed).To(BeTrue(), "not acknowledged, not asserted")
	w.api.Requests()
	w.Expect(a.Assert(t.Context(), claim)).To(Succeed())
	w.Expect(w.api.Requests()).To(Equal([]string{"update", "get", "update"}))

	w.clock.Step(5 * time.Second)
	w.renew(a)
	w.api.Edit(namespace+"/"+leaseName, func(*coordinationv1.Lease) {})
	w.api.Fail("get", apierrors.NewInternalError(errors.New("etcd")))
	w.Expect(apierrors.IsInternalError(a.Assert(t.Context(), claim))).To(BeTrue())
	w.api.Hook(func(r fakeapi.Request) {
		if r.Verb == "update" {
			w.api.Edit(namespace+"/"+leaseName, func(*coordinationv1.Lease) {})
		}
	})
	w.Expect(apierrors.IsConflict(a.Assert(t.Context(), claim))).To(BeTrue(), "a fight ends")
	w.Expect(apierrors.IsConflict(a.Release(t.Context(), claim))).To(BeTrue(), "a fight ends")
}

// Others see signs of life by versions. An update that changes nothing makes none, so a clock that stands still must not
// make one.
func TestEveryWriteIsAChange(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	before := w.api.Lease(a.members.own.ref())
	w.renew(a)
	after := w.api.Lease(a.members.own.ref())
	w.Expect(after.Spec.RenewTime.Time).To(BeTemporally(">", before.Spec.RenewTime.Time))
	w.clock.SetTime(epochStart.Add(-time.Hour))
	w.renew(a)
	back := w.api.Lease(a.members.own.ref())
	w.Expect(back.Spec.RenewTime.Time).To(BeTemporally(">", after.Spec.RenewTime.Time))
}

func TestSetIntents(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) {
		l.Namespace, l.Name = namespace, leaseName
		setIntents(l, Intents{*placing("uid-x", 1), *placing("uid-y", 1)})
	})
	claim := w.claimed(a, placing("uid-a", 1))
	w.Expect(claim.Inherited).To(BeTrue())

	w.Expect(a.SetIntents(t.Context(), claim, claim.Intents.Without("uid-x"))).To(Succeed())
	w.Expect(w.api.Requests()).To(Equal([]string{"update"}))
	w.Expect(claim.Prior).To(Equal(Intents{*placing("uid-y", 1)}))
	w.Expect(claim.Inherited).To(BeTrue(), "one is left to resolve")
	w.Expect(a.SetIntents(t.Context(), claim, claim.Intents.Without("uid-y"))).To(Succeed())
	w.Expect(claim.Prior).To(BeEmpty())
	w.Expect(claim.Inherited).To(BeFalse())

	again, err := a.Acquire(t.Context(), request("uid-a", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(again.Intents.Format()).To(Equal(Intents{*placing("uid-a", 1)}.Format()))
	w.Expect(again.Inherited).To(BeFalse())

	// From place to withdraw: the fence of rule 13.
	withdrawing := *placing("uid-a", 1)
	withdrawing.Operation = onebidv1.OperationWithdraw
	w.Expect(a.SetIntents(t.Context(), claim, claim.Intents.With(withdrawing))).To(Succeed())
	w.Expect(intentsOf(w.lease())).To(Equal(Intents{withdrawing}))
	w.Expect(a.SetIntents(t.Context(), claim, nil)).To(Succeed())
	w.Expect(w.lease().Annotations).NotTo(HaveKey(onebidv1.AnnotationIntent))
}

func TestSetIntentsErasesNothingUnseen(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	claim := w.claimed(a, placing("uid-a", 1))
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) {
		setIntents(l, intentsOf(l).With(*placing("uid-x", 1)))
	})
	for _, write := range []func() error{
		func() error { return a.SetIntents(t.Context(), claim, nil) },
		func() error { return a.WriteTombstone(t.Context(), claim, lostBid) },
	} {
		err := write()
		unseen, ok := errors.AsType[*UnseenIntentsError](err)
		w.Expect(ok).To(BeTrue())
		w.Expect(unseen).To(MatchError(ContainSubstring("uid-x")))
		w.Expect(intentsOf(w.lease())).To(HaveLen(2))
	}
	again, err := a.Acquire(t.Context(), request("uid-a", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(again.Intents).To(HaveLen(2), "to be resolved now that it is seen")
	w.Expect(again.Prior).To(Equal(Intents{*placing("uid-x", 1)}))
	w.Expect(again.Inherited).To(BeTrue())
	w.Expect(a.WriteTombstone(t.Context(), again, lostBid)).To(Succeed())

	w.Expect(a.SetIntents(t.Context(), again, nil)).To(MatchError(ErrLost))
}

func TestResolvedEndsTheHistory(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) {
		l.Namespace, l.Name = namespace, leaseName
		setIntents(l, Intents{*placing("uid-a", 1)})
	})
	claim := w.claimed(a, nil)
	a.Resolved(claim)
	w.Expect(claim.Inherited).To(BeFalse())
	again, err := a.Acquire(t.Context(), request("uid-a", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(again.Inherited).To(BeFalse())
	w.Expect(again.Prior).To(BeEmpty())
	w.Expect(again.Intents).To(HaveLen(1), "it still stands on the Lease, for a successor")
}

func TestWriteTombstone(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	claim := w.claimed(a, placing("uid-a", 1))
	s := lostBid
	s.BidUID = ""
	w.Expect(a.WriteTombstone(t.Context(), claim, s)).To(Succeed())
	w.Expect(w.api.Requests()).To(Equal([]string{"update"}))
	lease := w.lease()
	w.Expect(HolderOf(lease)).To(BeEmpty())
	w.Expect(lease.Annotations).NotTo(HaveKey(onebidv1.AnnotationIntent))
	w.Expect(lease.Annotations).NotTo(HaveKey(onebidv1.AnnotationHeartbeat))
	read, ok, err := ParseTombstone(lease.Annotations)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(ok).To(BeTrue())
	w.Expect(read).To(Equal(lostBid), "the claim's Bid, unless another is named")
	w.Expect(a.Authorize(claim, time.Second)).To(MatchError(ErrLost))
	w.Expect(a.WriteTombstone(t.Context(), claim, lostBid)).To(MatchError(ErrLost))
}

func TestWriteTombstoneSurvivesALostReply(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	claim := w.claimed(a, nil)
	w.api.Lose("update")
	w.Expect(a.WriteTombstone(t.Context(), claim, lostBid)).To(MatchError(context.DeadlineExceeded))
	w.Expect(a.WriteTombstone(t.Context(), claim, lostBid)).To(Succeed())

	for _, c := range []struct {
		why  string
		edit func(*coordinationv1.Lease)
	}{
		{"another process holds it", func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = ptr.To("pod_1") }},
		{"another term ended", func(l *coordinationv1.Lease) { *l.Spec.LeaseTransitions++; *l = *withTombstone(l, lostBid, epochStart) }},
		{"it ended otherwise", func(l *coordinationv1.Lease) {
			*l = *withTombstone(l, Tombstone{Outcome: onebidv1.StateWon}, epochStart)
		}},
	} {
		w := newWorld(t)
		a := w.replica("a")
		claim := w.claimed(a, nil)
		w.api.Edit(namespace+"/"+leaseName, c.edit)
		w.Expect(a.WriteTombstone(t.Context(), claim, lostBid)).To(MatchError(ErrLost), c.why)
	}
}

func TestRelease(t *testing.T) {
	for _, c := range []struct {
		why     string
		before  func(*coordinationv1.Lease)
		verbs   []string
		deleted bool
	}{
		{"a scanner's own lock goes", func(*coordinationv1.Lease) {}, []string{"delete"}, true},
		{"an intent outlives it", func(l *coordinationv1.Lease) { setIntents(l, Intents{*placing("uid-x", 1)}) }, []string{"update"}, false},
		{"an unreadable intent too", func(l *coordinationv1.Lease) {
			l.Annotations = map[string]string{onebidv1.AnnotationIntent: "?"}
		}, []string{"update"}, false},
		{"a claim outlives it", func(l *coordinationv1.Lease) {
			l.Annotations = map[string]string{onebidv1.AnnotationBidUID: "uid-x"}
		}, []string{"update"}, false},
		{"a tombstone outlives it", func(l *coordinationv1.Lease) {
			*l = *ended(l, Tombstone{BidUID: "uid-x"})
		}, []string{"update"}, false},
	} {
		w := newWorld(t)
		s := w.scanner("s")
		before := w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) {
			l.Namespace, l.Name = namespace, leaseName
			c.before(l)
		})
		claim, err := s.Acquire(t.Context(), request("", nil))
		w.Expect(err).NotTo(HaveOccurred(), c.why)
		w.Expect(w.lease().Annotations[onebidv1.AnnotationIntent]).To(Equal(before.Annotations[onebidv1.AnnotationIntent]),
			"a scanner may not touch intents, not even to spell them anew")
		w.api.Requests()
		w.Expect(s.Release(t.Context(), claim)).To(Succeed(), c.why)
		w.Expect(w.api.Requests()).To(Equal(c.verbs), c.why)
		w.Expect(w.lease() == nil).To(Equal(c.deleted), c.why)
		w.Expect(s.Release(t.Context(), claim)).To(MatchError(ErrLost), "it is over")
		if !c.deleted {
			w.Expect(HolderOf(w.lease())).To(BeEmpty())
			after := w.lease().Annotations
			delete(after, onebidv1.AnnotationLockKey)
			w.Expect(after).To(Equal(before.Annotations), c.why)
		}
	}
}

// Between a release's decision to delete and its effect, the Lease may get another holder, or more than a lock.
func TestReleaseDeletesOnlyWhatItKnows(t *testing.T) {
	ref := namespace + "/" + leaseName
	for _, c := range []struct {
		why  string
		edit func(*world)
		want error
	}{
		{"a controller took it", func(w *world) { w.stolen() }, ErrLost},
		{"it was deleted", func(w *world) { w.api.Remove(ref) }, nil},
		{"an intent was put on it", func(w *world) {
			w.api.Edit(ref, func(l *coordinationv1.Lease) { setIntents(l, Intents{*placing("uid-x", 1)}) })
		}, nil},
	} {
		w := newWorld(t)
		s := w.scanner("s")
		claim, err := s.Acquire(t.Context(), request("", nil))
		w.Expect(err).NotTo(HaveOccurred())
		c.edit(w)
		changed := w.lease()
		err = s.Release(t.Context(), claim)
		w.Expect(errors.Is(err, c.want)).To(BeTrue(), "%s: %v", c.why, err)
		w.Expect(w.lease() == nil).To(Equal(changed == nil), c.why)
	}
}
