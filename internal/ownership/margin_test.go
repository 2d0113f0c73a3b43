package ownership

import (
	"testing"

	. "github.com/onsi/gomega"
)

// Who waits without a Lease waits by the timing that the holders of Leases obey.
func TestMarginIsTheHolders(t *testing.T) {
	w := newWorld(t)
	NewWithT(t).Expect(w.replica("a").Margin()).To(Equal(w.replica("b").timing.Margin))
}
