package admission

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

const install = "config/default"

// On a cluster that knows nothing of onebid, as a newcomer does it.
func TestOneCommandInstallsEverything(t *testing.T) {
	g := NewWithT(t)
	ctx := t.Context()
	fresh, err := testenv.Start(ctx, testenv.Options{Bare: true})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { NewWithT(t).Expect(fresh.Stop()).To(Succeed()) })

	out, err := fresh.Kubectl(ctx, "apply", "--server-side", "-k", install)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(strings.Split(strings.TrimSpace(out), "\n")).To(HaveEach(HaveSuffix(" serverside-applied")))
	g.Expect(fresh.WaitForAdmission(ctx)).To(Succeed())
	g.Expect(fresh.Client.Create(ctx, build.Bid("default", "freelancer", "1"))).To(Succeed())

	out, err = fresh.Kubectl(ctx, "diff", "--server-side", "-k", install)
	g.Expect(err).NotTo(HaveOccurred(), "kubectl diff fails when there is a difference")
	g.Expect(out).To(BeEmpty())
	_, err = fresh.Kubectl(ctx, "apply", "--server-side", "-k", install)
	g.Expect(err).NotTo(HaveOccurred(), "applying again")

	_, err = fresh.Kubectl(ctx, "wait", "--for=condition=Established", "crd", "--all", "--timeout=20s")
	g.Expect(err).NotTo(HaveOccurred())
	manager := &appsv1.Deployment{}
	g.Expect(fresh.Client.Get(ctx, client.ObjectKey{Namespace: "onebid-system", Name: "onebid-manager"}, manager)).To(Succeed())
	container := manager.Spec.Template.Spec.Containers[0]
	g.Expect(container.Image).To(Equal("onebid:dev"))
	g.Expect(container.Args).NotTo(ContainElement(ContainSubstring("leader-elect")), "all replicas are active")
}

// A policy without its binding, or with a binding that only warns, protects nothing.
func TestPoliciesAreBoundAndDeny(t *testing.T) {
	g := NewWithT(t)
	objects, err := testenv.ReadManifests(env.Root + "/config/policy")
	g.Expect(err).NotTo(HaveOccurred())
	bound := map[string]int{}
	for _, object := range objects {
		bound[object.GetName()]++
		g.Expect(object.GetName()).To(HaveSuffix(".onebid.dev"), "cluster-wide names are shared with others")
		spec, _ := object.Object["spec"].(map[string]any)
		switch object.GetKind() {
		case "ValidatingAdmissionPolicyBinding":
			g.Expect(spec["validationActions"]).To(ConsistOf("Deny"))
			g.Expect(spec["policyName"]).To(Equal(object.GetName()))
		case "MutatingAdmissionPolicyBinding":
			g.Expect(spec["policyName"]).To(Equal(object.GetName()))
		default:
			g.Expect(spec["failurePolicy"]).To(Equal("Fail"))
			g.Expect(spec["matchConditions"]).NotTo(BeEmpty(), "%s costs every request that it matches", object.GetName())
		}
	}
	g.Expect(bound).To(HaveEach(2), "one policy and one binding of each name")
}
