package ownership

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/fakeapi"
)

func TestAcquireIsOneWrite(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	claim, err := a.Acquire(t.Context(), request("uid-a", placing("uid-a", 1)))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.api.Requests()).To(Equal([]string{"create"}))
	w.Expect(claim.Name).To(Equal(leaseName))
	w.Expect(claim.Inherited).To(BeFalse())
	w.Expect(claim.Prior).To(BeEmpty())
	w.Expect(claim.AcquiredAt).To(Equal(w.clock.Now()))
	w.Expect(a.Authorize(claim, time.Second)).To(Succeed())

	lease := w.lease()
	w.Expect(lease.Spec.HolderIdentity).To(HaveValue(Equal(a.me.String())))
	w.Expect(lease.Spec.LeaseDurationSeconds).To(HaveValue(BeEquivalentTo(300)))
	w.Expect(lease.Labels).To(HaveKeyWithValue(onebidv1.LabelLease, onebidv1.LeaseKindPosting))
	w.Expect(lease.Annotations).To(Equal(map[string]string{
		onebidv1.AnnotationLockKey:   "bid:lock:freelancer:39211345",
		onebidv1.AnnotationBidUID:    "uid-a",
		onebidv1.AnnotationHeartbeat: a.members.own.ref(),
		onebidv1.AnnotationIntent:    Intents{*placing("uid-a", 1)}.Format(),
	}))
	w.Expect(claim.Token).To(Equal(tokenOf(lease)))
}

func TestAcquireAgain(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	first, err := a.Acquire(t.Context(), request("uid-a", placing("uid-a", 1)))
	w.Expect(err).NotTo(HaveOccurred())
	w.api.Requests()

	for _, c := range []struct {
		why    string
		intent *Intent
		want   []string
	}{
		{"nothing is asked for", nil, nil},
		{"the intent is there", placing("uid-a", 1), nil},
		{"the next attempt", placing("uid-a", 2), []string{"update"}},
	} {
		again, err := a.Acquire(t.Context(), request("uid-a", c.intent))
		w.Expect(err).NotTo(HaveOccurred())
		w.Expect(w.api.Requests()).To(Equal(c.want), c.why)
		w.Expect(again.Token).To(Equal(first.Token), c.why)
		w.Expect(again.Prior).To(BeEmpty(), "what this term wrote is no history")
	}
	held, ok := a.Held(namespace, leaseName)
	w.Expect(ok).To(BeTrue())
	w.Expect(held.Intents).To(Equal(Intents{*placing("uid-a", 2)}))

	a.Forget(namespace, leaseName)
	_, ok = a.Held(namespace, leaseName)
	w.Expect(ok).To(BeFalse())
	w.Expect(a.Authorize(first, time.Second)).To(MatchError(ErrLost), "what was forgotten authorises nothing")
	a.Forget(namespace, leaseName)
}

func TestAcquireRefusals(t *testing.T) {
	terminating := apierrors.NewForbidden(leaseResource, leaseName, errors.New("namespace is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for _, c := range []struct {
		why  string
		fail error
	}{
		{"the namespace is terminating", terminating},
		{"the namespace is gone", apierrors.NewNotFound(corev1.Resource("namespaces"), namespace)},
	} {
		w := newWorld(t)
		w.api.Fail("create", c.fail)
		_, err := w.scanner("s").Acquire(t.Context(), request("", nil))
		gone, ok := errors.AsType[*TerminatingError](err)
		w.Expect(ok).To(BeTrue(), c.why)
		w.Expect(gone).To(MatchError(ContainSubstring("namespace tenant is terminating")))
		w.Expect(errors.Is(err, c.fail)).To(BeTrue())
		w.Expect(w.api.Requests()).To(Equal([]string{"create"}), c.why)
	}

	w := newWorld(t)
	_, err := w.scanner("s").Acquire(t.Context(), Request{Key: onebidv1.Key{Marketplace: "UPPER"}})
	_, ok := errors.AsType[*onebidv1.KeyError](err)
	w.Expect(ok).To(BeTrue())
	_, err = w.scanner("s").AcquireWait(t.Context(), Request{}, time.Second)
	w.Expect(err).To(HaveOccurred())
	w.Expect(w.api.Requests()).To(BeEmpty())

	w.api.Fail("create", apierrors.NewInternalError(errors.New("etcd")))
	_, err = w.scanner("s").Acquire(t.Context(), request("", nil))
	w.Expect(apierrors.IsInternalError(err)).To(BeTrue())
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) {})
	w.api.Fail("get", apierrors.NewInternalError(errors.New("etcd")))
	_, err = w.scanner("s").Acquire(t.Context(), request("", nil))
	w.Expect(apierrors.IsInternalError(err)).To(BeTrue())
}

// An intent of another Bid, whatever became of its claim, is never erased by a new one (rule 1).
func TestTakeOverKeepsWhatIsUnresolved(t *testing.T) {
	for _, c := range []struct {
		why       string
		before    func(*coordinationv1.Lease)
		prior     Intents
		inherited bool
	}{
		{"an old Bid's intent", func(l *coordinationv1.Lease) {
			setIntents(l, Intents{*placing("uid-old", 3)})
			l.Annotations[onebidv1.AnnotationBidUID] = "uid-old"
		}, Intents{*placing("uid-old", 3)}, true},
		{"this Bid's intent, by a holder that died", func(l *coordinationv1.Lease) {
			setIntents(l, Intents{*placing("uid-a", 1)})
			l.Annotations[onebidv1.AnnotationBidUID] = "uid-a"
		}, Intents{*placing("uid-a", 1)}, true},
		{"a later attempt of this Bid, by a holder whose outcomes a cache does not show yet", func(l *coordinationv1.Lease) {
			setIntents(l, Intents{*placing("uid-a", 3)})
			l.Annotations[onebidv1.AnnotationBidUID] = "uid-a"
		}, Intents{*placing("uid-a", 3)}, true},
		{"a Bid that ended with an unknown outcome", func(l *coordinationv1.Lease) {
			*l = *ended(l, Tombstone{
				EndedAt: epochStart.Add(-time.Hour), CooldownUntil: epochStart, BidUID: "uid-old", Outcome: onebidv1.StateIndeterminate,
			})
		}, nil, true},
		{"an unreadable intent", func(l *coordinationv1.Lease) {
			l.Annotations = map[string]string{onebidv1.AnnotationIntent: "?"}
		}, Intents{{Raw: "?"}}, true},
		{"a Bid's claim without an intent is perhaps a live bid", func(l *coordinationv1.Lease) {
			l.Annotations = map[string]string{onebidv1.AnnotationBidUID: "uid-old"}
			l.CreationTimestamp = metav1.NewTime(epochStart)
		}, Intents{{Operation: onebidv1.OperationPlace, BidUID: "uid-old", Time: epochStart}}, true},
		{"this Bid's claim was released without an intent", func(l *coordinationv1.Lease) {
			l.Annotations = map[string]string{onebidv1.AnnotationBidUID: "uid-a"}
		}, nil, true},
		{"a tombstone past its cooldown", func(l *coordinationv1.Lease) {
			*l = *ended(l, Tombstone{EndedAt: epochStart.Add(-time.Hour), CooldownUntil: epochStart, BidUID: "uid-old"})
		}, nil, false},
		{"a scanner makes no calls", func(l *coordinationv1.Lease) {
			l.Spec.HolderIdentity = ptr.To(scannerC.String())
		}, nil, false},
	} {
		w := newWorld(t)
		a := w.replica("a")
		w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) {
			l.Namespace, l.Name = namespace, leaseName
			l.Annotations = map[string]string{}
			l.Spec.LeaseTransitions = ptr.To[int32](4)
			c.before(l)
		})
		w.clock.Step(time.Second)
		claim, err := a.Acquire(t.Context(), request("uid-a", placing("uid-a", 2)))
		w.Expect(err).NotTo(HaveOccurred(), c.why)
		w.Expect(claim.Prior.Format()).To(Equal(c.prior.Format()), c.why)
		w.Expect(claim.Inherited).To(Equal(c.inherited), c.why)
		noted := c.prior
		if !noted.reached(*placing("uid-a", 2)) {
			noted = noted.With(*placing("uid-a", 2))
		}
		w.Expect(claim.Intents.Format()).To(Equal(noted.Format()), c.why)
		w.Expect(intentsOf(w.lease()).Format()).To(Equal(claim.Intents.Format()), c.why)
		w.Expect(claim.Token.Transitions).To(BeEquivalentTo(5), c.why)
		w.Expect(w.lease().Annotations).To(HaveKeyWithValue(onebidv1.AnnotationBidUID, "uid-a"), c.why)
		w.Expect(w.lease().Annotations).NotTo(HaveKey(onebidv1.AnnotationEndedAt), c.why)
	}
}

// A Bid that was deleted and created again meets its predecessor's claim in the very process that holds it.
func TestAnotherBidOnAPostingHeldAlready(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	old, err := a.Acquire(t.Context(), request("uid-old", placing("uid-old", 1)))
	w.Expect(err).NotTo(HaveOccurred())
	w.api.Requests()
	claim, err := a.Acquire(t.Context(), request("uid-a", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.api.Requests()).To(Equal([]string{"update"}))
	w.Expect(claim.Token).To(Equal(old.Token))
	w.Expect(claim.Inherited).To(BeTrue())
	w.Expect(claim.Prior).To(Equal(Intents{*placing("uid-old", 1)}))
}

func TestHintSavesTheRoundTripsAndDecidesNothing(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	free := w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) {
		l.Namespace, l.Name = namespace, leaseName
		l.Spec.HolderIdentity = ptr.To(scannerC.String())
	})
	req := request("uid-a", placing("uid-a", 1))
	req.Hint = free
	_, err := a.Acquire(t.Context(), req)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.api.Requests()).To(Equal([]string{"update"}))

	b := w.replica("b")
	w.sees(b, a)
	_, err = b.Acquire(t.Context(), req)
	held, ok := errors.AsType[*HeldError](err)
	w.Expect(ok).To(BeTrue(), "a hint that is behind must not take what is held")
	w.Expect(held.Holder).To(Equal(a.me.String()))
	w.Expect(held).To(MatchError(ContainSubstring(a.me.String())))
	w.Expect(w.api.Requests()).To(Equal([]string{"update", "get"}))

	w.api.Remove(namespace + "/" + leaseName)
	req.Hint = heldBy("pod_1", "")
	_, err = b.Acquire(t.Context(), req)
	w.Expect(err).NotTo(HaveOccurred(), "a hint that shows a holder must not forbid what is free")
	w.Expect(w.api.Requests()).To(Equal([]string{"get", "create"}))
}

func TestLostReplyIsRecognised(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	w.api.Lose("create")
	_, err := a.Acquire(t.Context(), request("uid-a", placing("uid-a", 1)))
	w.Expect(err).To(MatchError(context.DeadlineExceeded))
	w.Expect(w.api.Requests()).To(Equal([]string{"create"}))

	w.clock.Step(time.Second)
	claim, err := a.Acquire(t.Context(), request("uid-a", placing("uid-a", 1)))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.api.Requests()).To(Equal([]string{"create", "get", "update"}), "asserted by compare-and-swap")
	w.Expect(claim.AcquiredAt).To(Equal(w.clock.Now()), "the settle time cannot start before the claim is known")
	w.Expect(claim.Token).To(Equal(tokenOf(w.lease())))
	w.Expect(w.lease().Spec.AcquireTime.Time).To(BeTemporally("~", epochStart, time.Second))

	w.api.Lose("update")
	_, err = a.Acquire(t.Context(), request("uid-a", placing("uid-a", 2)))
	w.Expect(err).To(MatchError(context.DeadlineExceeded))
	again, err := a.Acquire(t.Context(), request("uid-a", placing("uid-a", 2)))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(again.Token).To(Equal(claim.Token))
	w.Expect(again.Intents).To(Equal(Intents{*placing("uid-a", 2)}))
}

// A person edited the Lease of a claim; what was added is history to this term.
func TestIntentsAddedByAPersonAreSeen(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	_, err := a.Acquire(t.Context(), request("uid-a", placing("uid-a", 1)))
	w.Expect(err).NotTo(HaveOccurred())
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) {
		setIntents(l, intentsOf(l).With(*placing("uid-x", 1)))
	})
	claim, err := a.Acquire(t.Context(), request("uid-a", placing("uid-a", 2)))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(claim.Prior).To(Equal(Intents{*placing("uid-x", 1)}))
	w.Expect(claim.Intents).To(ConsistOf(*placing("uid-a", 2), *placing("uid-x", 1)))
}

// A Lease that was deleted by hand does not take the memory of open calls with it.
func TestDeletedLeaseIsRecalled(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	claim, err := a.Acquire(t.Context(), request("uid-a", placing("uid-a", 1)))
	w.Expect(err).NotTo(HaveOccurred())
	w.api.Remove(namespace + "/" + leaseName)
	w.Expect(a.SetIntents(t.Context(), claim, nil)).To(MatchError(ErrLost))
	w.Expect(a.Authorize(claim, time.Second)).To(MatchError(ErrLost))
	w.Expect(a.Assert(t.Context(), claim)).To(MatchError(ErrLost))
	_, held := a.Held(namespace, leaseName)
	w.Expect(held).To(BeFalse())

	again, err := a.Acquire(t.Context(), request("uid-a", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(again.Token).NotTo(Equal(claim.Token))
	w.Expect(again.Inherited).To(BeTrue())
	w.Expect(intentsOf(w.lease())).To(Equal(Intents{*placing("uid-a", 1)}))

	w.api.Remove(namespace + "/" + leaseName)
	again, err = a.Acquire(t.Context(), request("uid-a", placing("uid-a", 2)))
	w.Expect(err).NotTo(HaveOccurred(), "the deletion is noticed only by the update")
	w.Expect(again.Prior).To(Equal(Intents{*placing("uid-a", 1)}))
	w.Expect(intentsOf(w.lease())).To(Equal(Intents{*placing("uid-a", 2)}))
}

// A process that keeps losing to others gives up: they make progress.
func TestAcquireGivesUpAFight(t *testing.T) {
	w := newWorld(t)
	s := w.scanner("s")
	ref := namespace + "/" + leaseName
	free := func(l *coordinationv1.Lease) { l.Namespace, l.Name, l.Spec.HolderIdentity = namespace, leaseName, nil }
	w.api.Edit(ref, free)
	w.api.Hook(func(r fakeapi.Request) {
		if r.Verb == "update" && w.api.Lease(ref) != nil {
			w.api.Edit(ref, func(*coordinationv1.Lease) {})
		}
	})
	_, err := s.Acquire(t.Context(), request("", nil))
	held, ok := errors.AsType[*HeldError](err)
	w.Expect(ok).To(BeTrue())
	w.Expect(*held).To(Equal(HeldError{Holder: "several processes in turn", Until: epochStart}))
	w.Expect(strings.Count(strings.Join(w.api.Requests(), " "), "update")).To(BeNumerically("<=", maxRounds))

	w.api.Edit(ref, func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = ptr.To(scannerC.String()) })
	_, err = w.replica("a").Acquire(t.Context(), request("uid-a", nil))
	held, ok = errors.AsType[*HeldError](err)
	w.Expect(ok).To(BeTrue())
	w.Expect(held.Until).To(Equal(epochStart))

	w.api.Hook(nil)
	w.api.Edit(ref, free)
	w.api.Fail("update", apierrors.NewUnauthorized("expired"))
	_, err = s.Acquire(t.Context(), request("", nil))
	w.Expect(apierrors.ReasonForError(err)).To(Equal(metav1.StatusReasonUnauthorized))
}

func TestTTLIsWholeSeconds(t *testing.T) {
	w := newWorld(t)
	req := request("", nil)
	req.TTL = 1500 * time.Millisecond
	_, err := w.scanner("s").Acquire(t.Context(), req)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.lease().Spec.LeaseDurationSeconds).To(HaveValue(BeEquivalentTo(2)))
}

// A Lease whose number of transitions is the largest possible can be taken all the same.
func TestTransitionsWrap(t *testing.T) {
	w := newWorld(t)
	w.api.Edit(namespace+"/"+leaseName, func(l *coordinationv1.Lease) { l.Spec.LeaseTransitions = ptr.To[int32](math.MaxInt32) })
	claim, err := w.replica("a").Acquire(t.Context(), request("uid-a", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(claim.Token.Transitions).To(BeZero(), "the API server refuses negative ones")
}
