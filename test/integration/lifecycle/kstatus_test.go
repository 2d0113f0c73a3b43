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
	bid := x.bid("1")
	x.g.Expect(x.kstatus(bid)).To(Equal(status.InProgressStatus), "nobody has looked at it yet")
	x.manager()
	active := x.state(bid, onebidv1.StateActive)
	x.g.Expect(x.kstatus(active)).To(Equal(status.CurrentStatus))
	x.fault(marketsim.Fault{Verb: "withdraw", Status: 503})
	x.withdraw(bid, "changed my mind")
	x.g.Expect(x.kstatus(bid)).To(Equal(status.InProgressStatus), "the spec is newer than the status, or the status says so")
	x.reason(bid, onebidv1.ConditionStalled, onebidv1.ReasonManualReview)
	x.g.Expect(x.kstatus(bid)).To(Equal(status.FailedStatus), "a person is called")
	x.g.Expect(sim.ClearFaults(t.Context())).To(Succeed())
	x.state(bid, onebidv1.StateWithdrawn)
	x.g.Expect(x.kstatus(bid)).To(Equal(status.CurrentStatus), "settled")
	_, err := env.Kubectl(t.Context(), "-n", x.ns, "wait", "--for=condition=Withdrawn", "--timeout=10s", "bid/"+bid.Name)
	x.g.Expect(err).NotTo(HaveOccurred())
}

func (x *tenant) kstatus(bid *onebidv1.Bid) status.Status {
	x.t.Helper()
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(x.get(bid))
	x.g.Expect(err).NotTo(HaveOccurred())
	result, err := status.Compute(&unstructured.Unstructured{Object: object})
	x.g.Expect(err).NotTo(HaveOccurred())
	return result.Status
}
