package integration_test

import (
	"errors"
	"math"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/apiclock"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// A replica stops its heartbeat. Its posting is taken over after the observed window and not before; when it comes back, it
// may call nothing.
func TestDeadHolder(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	clockA, clockB := clocktesting.NewFakeClock(time.Now()), clocktesting.NewFakeClock(time.Now().Add(time.Hour))
	a := replica(t, ns, clockA)
	b := replica(t, ns, clockB)
	b.knows(t, a)
	claim, err := a.Acquire(t.Context(), bid(ns, "1", "uid", 1))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(a.Authorize(claim, time.Second)).To(Succeed())

	_, err = b.Acquire(t.Context(), bid(ns, "1", "uid", 2))
	held, ok := errors.AsType[*ownership.HeldError](err)
	g.Expect(ok).To(BeTrue(), "%v", err)
	b.pass(t, clockB, held.Until.Sub(clockB.Now())-1)
	_, err = b.Acquire(t.Context(), bid(ns, "1", "uid", 2))
	g.Expect(isHeld(err)).To(BeTrue(), "%v", err)
	b.pass(t, clockB, 1)
	taken, err := b.Acquire(t.Context(), bid(ns, "1", "uid", 2))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(taken.Inherited).To(BeTrue())
	g.Expect(taken.AcquiredAt).To(Equal(clockB.Now()))
	prior, _ := taken.Prior.Of("uid")
	g.Expect(prior.Attempt).To(BeEquivalentTo(1))

	// For a no time had passed: it stood still. It wakes up late.
	clockA.Step(6 * time.Second)
	g.Expect(a.Authorize(claim, time.Second)).NotTo(Succeed())
	g.Eventually(a.members.Ready, "10s", "5ms").Should(Succeed())
	g.Expect(a.Authorize(claim, time.Second)).To(MatchError(ContainSubstring("had lapsed")))
	g.Expect(a.Assert(t.Context(), claim)).To(MatchError(ownership.ErrLost))
	b.pass(t, clockB, 2*time.Second) // b renews, and a's clock, which jumped ahead of it, is no reason to call it dead
	_, err = a.Acquire(t.Context(), bid(ns, "1", "uid", 3))
	g.Expect(isHeld(err)).To(BeTrue(), "%v", err)
}

// The observer's watch is cut off, and the holder lives: silence must not be taken for death.
func TestSilentWatchIsNotDeath(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	clockA, clockB := clocktesting.NewFakeClock(time.Now()), clocktesting.NewFakeClock(time.Now())
	a := replica(t, ns, clockA)
	b := replica(t, ns, clockB)
	b.knows(t, a)
	_, err := a.Acquire(t.Context(), bid(ns, "1", "uid", 1))
	g.Expect(err).NotTo(HaveOccurred())
	// Drop a's label: the label-selected watch shows a deletion, and then nothing of a's further heartbeats.
	name := lease(t, a, ns, "1").Annotations[onebidv1.AnnotationHeartbeat][len(ns)+1:]
	heartbeat, err := a.Get(t.Context(), ns, name)
	g.Expect(err).NotTo(HaveOccurred())
	heartbeat.Labels = nil
	_, err = a.leases.Leases(ns).Update(t.Context(), heartbeat, metav1.UpdateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(b.members.Live, "10s", "5ms").Should(HaveLen(1))

	b.pass(t, clockB, 6*time.Second)
	_, err = b.Acquire(t.Context(), bid(ns, "1", "uid", 1))
	g.Expect(isHeld(err)).To(BeTrue(), "%v", err)
}

func TestLostReplies(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	a := replica(t, ns, clocktesting.NewFakeClock(time.Now()))
	lose := func() { a.net.losing.Store(1) }

	lose()
	_, err := a.Acquire(t.Context(), bid(ns, "1", "uid", 1))
	g.Expect(err).To(MatchError(ContainSubstring(errLost.Error())))
	created := lease(t, a, ns, "1")
	claim, err := a.Acquire(t.Context(), bid(ns, "1", "uid", 1))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(claim.Token).To(Equal(ownership.Token{UID: created.UID, Transitions: *created.Spec.LeaseTransitions}))
	g.Expect(lease(t, a, ns, "1").ResourceVersion).NotTo(Equal(created.ResourceVersion), "asserted again")

	lose()
	g.Expect(a.SetIntents(t.Context(), claim, nil)).NotTo(Succeed())
	g.Expect(a.SetIntents(t.Context(), claim, nil)).To(Succeed())

	tombstone := ownership.Tombstone{EndedAt: time.Now(), CooldownUntil: time.Now().Add(time.Hour), Outcome: onebidv1.StateLost}
	lose()
	g.Expect(a.WriteTombstone(t.Context(), claim, tombstone)).NotTo(Succeed())
	g.Expect(a.WriteTombstone(t.Context(), claim, tombstone)).To(Succeed())

	_, err = a.Acquire(t.Context(), bid(ns, "1", "uid-2", 1))
	cooling, ok := errors.AsType[*ownership.CooldownError](err)
	g.Expect(ok).To(BeTrue(), "%v", err)
	g.Expect(cooling.Outcome).To(Equal(onebidv1.StateLost))
	g.Expect(cooling.BidUID).To(BeEquivalentTo("uid"))
}

func TestSetIntentsConflicts(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	a := replica(t, ns, clocktesting.NewFakeClock(time.Now()))
	claim, err := a.Acquire(t.Context(), bid(ns, "1", "uid", 1))
	g.Expect(err).NotTo(HaveOccurred())

	edit(t, a, ns, "1", func(l *coordinationv1.Lease) { metav1.SetMetaDataAnnotation(&l.ObjectMeta, "note", "x") })
	g.Expect(a.SetIntents(t.Context(), claim, claim.Intents)).To(Succeed(), "an edit that does not concern us")
	g.Expect(lease(t, a, ns, "1").Annotations).To(HaveKeyWithValue("note", "x"))

	edit(t, a, ns, "1", func(l *coordinationv1.Lease) {
		other := *bid(ns, "1", "other", 1).Intent
		l.Annotations[onebidv1.AnnotationIntent] = claim.Intents.With(other).Format()
	})
	_, unseen := errors.AsType[*ownership.UnseenIntentsError](a.SetIntents(t.Context(), claim, nil))
	g.Expect(unseen).To(BeTrue())

	claim, err = a.Acquire(t.Context(), bid(ns, "1", "uid", 1))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(claim.Prior).To(HaveLen(1), "now it is seen")
	edit(t, a, ns, "1", func(l *coordinationv1.Lease) { l.Spec.LeaseTransitions = ptr.To[int32](7) })
	g.Expect(a.SetIntents(t.Context(), claim, nil)).To(MatchError(ownership.ErrLost), "another term, even of this process")
}

// Between a release's decision and its effect the Lease becomes more than a lock. Only the precondition on the version
// keeps the delete from taking that with it.
func TestReleaseNeverDeletesWhatItHasNotSeen(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	s := scanner(t, clock.RealClock{})
	a := replica(t, ns, clock.RealClock{})
	claim, err := s.Acquire(t.Context(), posting(ns, "1"))
	g.Expect(err).NotTo(HaveOccurred())
	race := func() {
		_, err := a.Acquire(t.Context(), bid(ns, "1", "uid", 1))
		g.Expect(err).NotTo(HaveOccurred(), "a controller takes from a scanner at once")
	}
	s.net.before.Store(&race)
	g.Expect(s.Release(t.Context(), claim)).To(MatchError(ownership.ErrLost))
	g.Expect(ownership.HolderOf(lease(t, a, ns, "1"))).To(Equal(a.me.String()))
	g.Expect(lease(t, a, ns, "1").Annotations).To(HaveKey(onebidv1.AnnotationIntent))
}

func TestScannerReleasesAProtectedLease(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	s, a := scanner(t, clock.RealClock{}), replica(t, ns, clock.RealClock{})
	dead, err := a.Acquire(t.Context(), bid(ns, "1", "uid", 1))
	g.Expect(err).NotTo(HaveOccurred())
	before := lease(t, a, ns, "1").Annotations[onebidv1.AnnotationIntent]
	g.Expect(a.Release(t.Context(), dead)).To(Succeed())
	claim, err := s.Acquire(t.Context(), posting(ns, "1"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.Release(t.Context(), claim)).To(Succeed())
	left := lease(t, a, ns, "1")
	g.Expect(ownership.HolderOf(left)).To(BeEmpty())
	g.Expect(left.Annotations).To(HaveKeyWithValue(onebidv1.AnnotationIntent, before))
	g.Expect(left.Annotations).To(HaveKeyWithValue(onebidv1.AnnotationBidUID, "uid"))

	claim, err = s.Acquire(t.Context(), posting(ns, "2"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.Release(t.Context(), claim)).To(Succeed())
	_, err = s.Get(t.Context(), ns, claim.Name)
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue())
}

func TestTerminatingNamespace(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	g.Expect(env.Client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})).To(Succeed())
	s := scanner(t, clock.RealClock{})
	for _, namespace := range []string{ns, "never-was"} {
		var err error
		g.Eventually(func() bool {
			_, err = s.Acquire(t.Context(), posting(namespace, "1"))
			_, gone := errors.AsType[*ownership.TerminatingError](err)
			return gone
		}, "10s", "10ms").Should(BeTrue(), "%s: %v", namespace, err)
	}
}

// Scanners can write a Lease: the largest number of transitions must not keep a posting from being taken.
func TestTransitionsWrap(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	s := scanner(t, clock.RealClock{})
	_, err := s.Acquire(t.Context(), posting(ns, "1"))
	g.Expect(err).NotTo(HaveOccurred())
	edit(t, s, ns, "1", func(l *coordinationv1.Lease) { l.Spec.LeaseTransitions = ptr.To[int32](math.MaxInt32) })
	claim, err := replica(t, ns, clock.RealClock{}).Acquire(t.Context(), bid(ns, "1", "uid", 1))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(claim.Token.Transitions).To(BeZero())
}

// A host whose clock is a year ahead writes and judges by the API server's time.
func TestHostClocksDoNotMatter(t *testing.T) {
	noLeaks(t)
	g := NewWithT(t)
	ns := env.Namespace(t)
	host := clocktesting.NewFakeClock(time.Now().AddDate(1, 0, 0))
	wall := apiclock.New(host)
	config := rest.CopyConfig(env.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return wall.Wrap(next) })
	clientset, err := kubernetes.NewForConfig(config)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = clientset.Discovery().ServerVersion()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(wall.Now()).To(BeTemporally("~", time.Now(), 3*time.Second))

	s := scanner(t, host, ownership.WithWallClock(wall))
	a := replica(t, ns, clock.RealClock{})
	claim, err := a.Acquire(t.Context(), bid(ns, "1", "uid", 1))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(a.WriteTombstone(t.Context(), claim, ownership.Tombstone{
		EndedAt: time.Now(), CooldownUntil: time.Now().Add(time.Minute),
	})).To(Succeed())
	_, err = s.Acquire(t.Context(), posting(ns, "1"))
	_, cooling := errors.AsType[*ownership.CooldownError](err)
	g.Expect(cooling).To(BeTrue(), "by the host's clock the cooldown was over a year ago: %v", err)
}
