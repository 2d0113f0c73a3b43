package ownership

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// slow lets every write of the posting's Lease take so long.
func (w *world) slow(d time.Duration) {
	w.api.Hook(func(verb, name string) {
		if name == leaseName && (verb == "create" || verb == "update") {
			w.clock.Step(d)
		}
	})
}

// Others may see a write at any moment after it was sent, so that is from when its holder may rely on it.
func TestAClaimCountsFromBeforeItsWriteWasSent(t *testing.T) {
	const late = 2 * time.Second
	bound := DefaultTiming().Bound(DefaultTTL)
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

// The one who held the Lease before may have acted until the moment at which it was taken, which is before the reply and
// no longer before the request.
func TestTheTenureBeginsWhenItsWriteIsAcknowledged(t *testing.T) {
	w := newWorld(t)
	s := w.scanner("s")
	w.slow(2 * time.Second)
	claim, err := s.Acquire(t.Context(), request("", nil))
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(claim.AcquiredAt).To(Equal(epochStart.Add(2 * time.Second)))
}
