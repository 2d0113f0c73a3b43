package admission

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

const (
	mayNotApprove = `only a user with the verb "approve" on bids, which the ClusterRole onebid-approver grants, may set or change ` +
		`spec.approval: leave it unchanged, or ask an approver`
	mayNotAbandon = `only a user with the verb "abandon" on bids, which the ClusterRole onebid-abandoner grants, may set or change the ` +
		`annotation onebid.dev/abandon: delete the Bid to withdraw it, or ask a user with that verb`
	mayNotResolve = `only a user with the verb "resolve" on bids, which the ClusterRole onebid-resolver grants, may set or change the ` +
		`annotation onebid.dev/resolve: ask a user with that verb to look at the marketplace and decide`
)

// approved sets an approval of the Bid as it is.
func approved(b *v1alpha1.Bid) {
	b.Spec.Approval = &v1alpha1.BidApproval{BidUID: string(b.UID), Decision: v1alpha1.ApprovalApproved}
}

func refusedByApprover(b *v1alpha1.Bid) {
	b.Spec.Approval = &v1alpha1.BidApproval{BidUID: string(b.UID), Decision: v1alpha1.ApprovalRefused}
}

func abandoned(reason string) func(*v1alpha1.Bid) {
	return func(b *v1alpha1.Bid) { b.Annotations = map[string]string{v1alpha1.AnnotationAbandon: reason} }
}

func TestOnlyApproversApprove(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	bidder := env.AsUser(t, ns, "bidder", "onebid-bidder")
	approver := env.AsUser(t, ns, "approver", "onebid-approver")
	refused := policy("bids.onebid.dev", "approval-guard", mayNotApprove)

	bid := created(t, ns, "1")
	refusedAtUpdate(t, bidder.Client, bid, []refusal{{"approve as a bidder", approved, refused}})

	stored := live(t, bid)
	approved(stored)
	stored.Spec.Approval.By = "somebody else"
	g.Expect(approver.Client.Update(t.Context(), stored)).To(Succeed())

	g.Expect(live(t, bid).Spec.Approval.By).To(Equal("approver-"+ns), "who decided is what the API server knows")

	refusedAtUpdate(t, bidder.Client, bid, []refusal{
		{"take the approval away", func(b *v1alpha1.Bid) { b.Spec.Approval = nil }, refused},
		{"turn it round", refusedByApprover, refused},
	})
	g.Expect(patched(t, bidder.Client, stored, `{"spec":{"withdraw":{"reason":"changed my mind"}}}`)).To(Succeed(),
		"an approved Bid stays the bidder's")
}

func TestNobodyIsBornApproved(t *testing.T) {
	ns := env.Namespace(t)
	bidder := env.AsUser(t, ns, "bidder", "onebid-bidder")
	both := env.AsUser(t, ns, "both", "onebid-bidder", "onebid-approver")
	claim := func(b *v1alpha1.Bid) {
		b.Spec.Approval = &v1alpha1.BidApproval{BidUID: "guessed", Decision: v1alpha1.ApprovalApproved}
	}
	refusedAtCreation(t, bidder.Client, ns, []refusal{
		{"create as a bidder", claim, policy("bids.onebid.dev", "approval-guard", mayNotApprove)},
	})
	NewWithT(t).Expect(both.Client.Create(t.Context(), build.Bid(ns, "freelancer", "1", claim))).To(Succeed(),
		"a restore by who may approve; the controller finds the UID to be another")
}

func TestAnApprovalNamesTheBidThatWasRead(t *testing.T) {
	ns := env.Namespace(t)
	approver := env.AsUser(t, ns, "approver", "onebid-approver")
	bid := created(t, ns, "1")
	refusedAtUpdate(t, approver.Client, bid, []refusal{{
		name: "UID of an earlier Bid",
		change: func(b *v1alpha1.Bid) {
			b.Spec.Approval = &v1alpha1.BidApproval{BidUID: "earlier", Decision: v1alpha1.ApprovalApproved}
		},
		want: policy("bids.onebid.dev", "approval-guard", `spec.approval.bidUID must be "`+string(bid.UID)+`", the UID of this Bid: `+
			`the Bid may have been deleted and created again since it was read, so read it again before deciding`),
	}})
}

func TestOnlySomeMayAbandon(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	// An approver and a tenant's admin have much to say, but not this.
	bidder := env.AsUser(t, ns, "bidder", "onebid-bidder", "onebid-approver", "onebid-admin")
	abandoner := env.AsUser(t, ns, "abandoner", "onebid-abandoner")
	refused := policy("bids.onebid.dev", "abandon-guard", mayNotAbandon)

	refusedAtCreation(t, bidder.Client, ns, []refusal{{"at creation", abandoned("why not"), refused}})

	bid := created(t, ns, "1")
	refusedAtUpdate(t, bidder.Client, bid, []refusal{{"later", abandoned("why not"), refused}})
	refusedAtUpdate(t, abandoner.Client, bid, []refusal{{
		name:   "without a reason",
		change: abandoned(""),
		want: policy("bids.onebid.dev", "abandon-guard",
			"the annotation onebid.dev/abandon must not be empty: its value is the reason that the event Abandoned shows"),
	}})
	g.Expect(patched(t, abandoner.Client, bid, `{"metadata":{"annotations":{"onebid.dev/abandon":"the site is gone"}}}`)).To(Succeed())
	refusedAtUpdate(t, bidder.Client, bid, []refusal{
		{"taken back by another", func(b *v1alpha1.Bid) { delete(b.Annotations, v1alpha1.AnnotationAbandon) }, refused},
		{"reason rewritten by another", abandoned("no reason"), refused},
	})
	g.Expect(patched(t, bidder.Client, bid, `{"metadata":{"annotations":{"onebid.dev/reconcile-requested-at":"now"}}}`)).To(Succeed(),
		"other annotations are free")
}

func TestOnlySomeMayResolve(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	bidder := env.AsUser(t, ns, "bidder", "onebid-bidder", "onebid-approver", "onebid-admin", "onebid-abandoner")
	resolver := env.AsUser(t, ns, "resolver", "onebid-resolver")
	refused := policy("bids.onebid.dev", "resolve-guard", mayNotResolve)
	said := func(value string) func(*v1alpha1.Bid) {
		return func(b *v1alpha1.Bid) { b.Annotations = map[string]string{v1alpha1.AnnotationResolve: value} }
	}

	refusedAtCreation(t, bidder.Client, ns, []refusal{{"at creation", said("not-placed"), refused}})

	bid := created(t, ns, "1")
	refusedAtUpdate(t, bidder.Client, bid, []refusal{{"later", said("placed"), refused}, {"without a value", said(""), refused}})
	g.Expect(patched(t, resolver.Client, bid, `{"metadata":{"annotations":{"onebid.dev/resolve":"placed"}}}`)).To(Succeed())
	refusedAtUpdate(t, bidder.Client, bid, []refusal{
		{"taken back by another", func(b *v1alpha1.Bid) { delete(b.Annotations, v1alpha1.AnnotationResolve) }, refused},
		{"turned round by another", said("not-placed"), refused},
	})
	refusedAtUpdate(t, resolver.Client, bid, []refusal{{
		"abandoning is another verb", func(b *v1alpha1.Bid) { b.Annotations[v1alpha1.AnnotationAbandon] = "no use" },
		policy("bids.onebid.dev", "abandon-guard", mayNotAbandon),
	}})
	g.Expect(patched(t, bidder.Client, bid, `{"metadata":{"annotations":{"onebid.dev/reconcile-requested-at":"now"}}}`)).To(Succeed(),
		"other annotations are free")
}
