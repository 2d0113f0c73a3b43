package lifecycle_test

import (
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
)

// Tools that know nothing of onebid read its status by the rules of kstatus: Flux, Argo CD, kubectl wait.
func TestToolsReadTheStatus(t *testing.T) {
	x := newTenant(t, onebidv1.ClassIdempotencyKey)
	bid := x.Bid("1")
	x.G.Expect(x.kstatus(bid)).To(Equal(status.InProgressStatus), "nobody has looked at it yet")
	x.Manager()
	active := x.State(bid, onebidv1.StateActive)
	x.G.Expect(x.kstatus(active)).To(Equal(status.CurrentStatus))
	x.Fault(marketsim.Fault{Verb: "withdraw", Status: 503})
	x.Frozen(func() { // else enough withdrawals may fail before anybody looks
		x.Withdraw(bid, "changed my mind")
		x.G.Expect(x.kstatus(bid)).To(Equal(status.InProgressStatus), "the spec is newer than the status")
	})
	x.Reason(bid, onebidv1.ConditionStalled, onebidv1.ReasonManualReview)
	x.G.Expect(x.kstatus(bid)).To(Equal(status.FailedStatus), "a person is called")
	x.NoFaults()
	x.State(bid, onebidv1.StateWithdrawn)
	x.G.Expect(x.kstatus(bid)).To(Equal(status.CurrentStatus), "settled")
	_, err := world.Env.Kubectl(t.Context(), "-n", x.NS, "wait", "--for=condition=Withdrawn", "--timeout=10s", "bid/"+bid.Name)
	x.G.Expect(err).NotTo(HaveOccurred())
}

func (x *tenant) kstatus(bid *onebidv1.Bid) status.Status {
	x.T.Helper()
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(x.Get(bid))
	x.G.Expect(err).NotTo(HaveOccurred())
	result, err := status.Compute(&unstructured.Unstructured{Object: object})
	x.G.Expect(err).NotTo(HaveOccurred())
	return result.Status
}
