package ownership

import (
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/internal/testenv/fakeapi"
)

// slow lets every write of the posting's Lease take so long.
func (w *world) slow(d time.Duration) {
	w.api.Hook(func(r fakeapi.Request) {
		if r.Name == leaseName && (r.Verb == "create" || r.Verb == "update") {
			w.clock.Step(d)
		}
	})
}

// Others may see a write at any moment after it was sent, so that is from when its holder may rely on it.
func TestAClaimCountsFromBeforeItsWriteWasSent(t *testing.T) {
	const late = 2 * time.Second
	bound := DefaultTiming().bound(defaultTTL)
	w := newWorld(t)
	s := w.scanner("s")
	w.slow(late)
	claim, err := s.Acquire(t.Context(), request("", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.clock.Step(bound - late)
	w.Expect(s.Authorize(claim, time.Second)).To(Succeed())
	w.clock.Step(1)
	w.Expect(s.Authorize(claim, time.Second)).NotTo(Succeed(), "of the first write")

	w.Expect(s.Assert(t.Context(), claim)).To(Succeed())
	w.clock.Step(bound - late)
	w.Expect(s.Authorize(claim, time.Second)).To(Succeed())
	w.clock.Step(1)
	w.Expect(s.Authorize(claim, time.Second)).NotTo(Succeed(), "of the next")
}

// The holder before may have acted until the moment at which the Lease was taken: after the request and before the reply.
func TestTheTermBeginsWhenItsWriteIsAcknowledged(t *testing.T) {
	w := newWorld(t)
	s := w.scanner("s")
	w.slow(2 * time.Second)
	claim, err := s.Acquire(t.Context(), request("", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(claim.AcquiredAt).To(Equal(epochStart.Add(2 * time.Second)))
}

// The proof of death is about the version of the Lease that was read before it: a holder that comes back right after the
// proof has written its Lease again, and nothing that is read later makes that unseen.
func TestAHolderThatComesBackAfterTheProofIsNoticed(t *testing.T) {
	w := newWorld(t)
	a, b := w.replica("a"), w.replica("b")
	w.sees(b, a)
	claim := w.claimed(a, nil)
	w.clock.Step(3 * time.Second)
	w.renew(b)
	w.clock.Step(2 * time.Second)
	proven := false
	w.api.Hook(func(r fakeapi.Request) {
		if proven {
			w.api.Hook(nil)
			w.Expect(a.members.own.renew(t.Context())).To(Succeed())
			w.Expect(a.Assert(t.Context(), claim)).To(Succeed())
		}
		proven = r.Verb == "get" && r.Name == a.members.own.name
	})
	_, err := b.Acquire(t.Context(), request("uid-a", nil))
	_, held := errors.AsType[*HeldError](err)
	w.Expect(held).To(BeTrue(), "%v", err)
	w.Expect(a.Authorize(claim, time.Second)).To(Succeed())
}

// A successor cannot wait out a call that may take for ever.
func TestACallNeedsATimeout(t *testing.T) {
	w := newWorld(t)
	a := w.replica("a")
	claim := w.claimed(a, nil)
	w.Expect(a.Authorize(claim, 1)).To(Succeed())
	w.Expect(a.Authorize(claim, 0)).NotTo(Succeed())
}

// Inequality 1: with one percent each way, a fast observer's five seconds are 99 ms and a bit shorter than a slow holder's.
func TestTheMarginCoversTheDriftOfBothClocks(t *testing.T) {
	g := NewWithT(t)
	timing := DefaultTiming()
	timing.Margin = 100 * time.Millisecond
	g.Expect(timing.Validate()).To(Succeed())
	timing.Margin = 99 * time.Millisecond
	g.Expect(timing.Validate()).To(MatchError(ContainSubstring("--heartbeat-margin=99ms: must be 100ms or more")))
}

// A wait without a Lease follows the timing of the holders of Leases.
func TestMarginIsTheHolders(t *testing.T) {
	w := newWorld(t)
	NewWithT(t).Expect(w.replica("a").Margin()).To(Equal(w.replica("b").timing.Margin))
}
