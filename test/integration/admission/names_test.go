package admission

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

func TestNamesThatAreNotCanonicalAreRefused(t *testing.T) {
	ns := env.Namespace(t)
	refusedAtCreation(t, env.Client, ns, []refusal{
		{
			name:   "plain ID under another name",
			change: func(b *v1alpha1.Bid) { b.Name = "my-bid" },
			want:   schema(`spec.postingID: Invalid value: metadata.name must be "freelancer.39211345", the one name of this posting`),
		},
		{
			name:   "plain ID in its hex form",
			change: func(b *v1alpha1.Bid) { b.Name = "freelancer.x.3339323131333435" },
			want:   schema(`spec.postingID: Invalid value: metadata.name must be "freelancer.39211345", the one name of this posting`),
		},
		{
			name:   "hex ID under another name",
			change: func(b *v1alpha1.Bid) { b.Spec.PostingID, b.Name = "~Ünïcode 標", "freelancer.unicode" },
			want: policy("bids.onebid.dev", "canonical-name",
				`metadata.name must be "freelancer.x.7ec39c6ec3af636f646520e6a899", the one name of this posting`),
		},
		{
			name:   "hex ID whose text would be a legal object name",
			change: func(b *v1alpha1.Bid) { b.Spec.PostingID, b.Name = "a.b", "freelancer.a.b" },
			want:   policy("bids.onebid.dev", "canonical-name", `metadata.name must be "freelancer.x.612e62", the one name of this posting`),
		},
		{
			name:   "marketplace that is no DNS label",
			change: func(b *v1alpha1.Bid) { b.Spec.Marketplace = "Free_Lancer" },
			want:   schema(`spec.marketplace: Invalid value: "Free_Lancer": must be a DNS label: lower-case letters, digits and inner hyphens`),
		},
		{
			name:   "empty marketplace",
			change: func(b *v1alpha1.Bid) { b.Spec.Marketplace = "" },
			want:   schema("spec.marketplace: Required value", unchecked),
		},
		{
			name:   "marketplace of 41 characters",
			change: func(b *v1alpha1.Bid) { b.Spec.Marketplace = strings.Repeat("m", 41) },
			want:   schema("spec.marketplace: Too long: may not be more than 40 bytes", unchecked),
		},
		{
			name:   "control characters in the ID",
			change: func(b *v1alpha1.Bid) { b.Spec.PostingID = "a\nb\u0085" },
			want:   schema(`spec.postingID: Invalid value: "a\nb\u0085": must not contain control characters`),
		},
		{
			name:   "NUL in the ID",
			change: func(b *v1alpha1.Bid) { b.Spec.PostingID = "a\x00" },
			want:   schema(`spec.postingID: Invalid value: "a\x00": must not contain control characters`),
		},
		{
			name:   "ID of 34 characters but 102 bytes",
			change: func(b *v1alpha1.Bid) { b.Spec.PostingID = strings.Repeat("標", 34) },
			want:   schema(`spec.postingID: Invalid value: "` + strings.Repeat("標", 34) + `": must be at most 100 bytes of UTF-8`),
		},
		{
			name:   "ID of 101 characters",
			change: func(b *v1alpha1.Bid) { b.Spec.PostingID = strings.Repeat("9", 101) },
			want:   schema("spec.postingID: Too long: may not be more than 100 bytes", unchecked),
		},
		{
			name:   "no ID",
			change: func(b *v1alpha1.Bid) { b.Spec.PostingID = "" },
			want:   schema("spec.postingID: Required value", unchecked),
		},
	})
}

func TestGeneratedNamesAreRefused(t *testing.T) {
	ns := env.Namespace(t)
	for id, want := range map[string]string{"39211345": "freelancer.39211345", "~01": "freelancer.x.7e3031"} {
		bid := build.Bid(ns, "freelancer", id, func(b *v1alpha1.Bid) { b.Name, b.GenerateName = "", "freelancer.x" })
		NewWithT(t).Expect(message(env.Client.Create(t.Context(), bid))).To(
			HaveSuffix(`metadata.name must be "` + want + `", the one name of this posting`))
	}
}

func TestCanonicalNamesAreAdmitted(t *testing.T) {
	ns := env.Namespace(t)
	for _, id := range []string{
		"39211345", "a", "a--b", "~01abc", "a.b", "x.7e", "Ünïcode 標 🎉", `"quoted"`, strings.Repeat("標", 33), strings.Repeat("Z", 100),
	} {
		g := NewWithT(t)
		g.Expect(env.Client.Create(t.Context(), build.Bid(ns, strings.Repeat("m", 40), id))).To(Succeed())
		g.Expect(env.Client.Create(t.Context(), build.Posting(ns, strings.Repeat("m", 40), id))).To(Succeed())
	}
}

func TestPostingsHaveTheSameNames(t *testing.T) {
	g := NewWithT(t)
	ns := env.Namespace(t)
	plain := build.Posting(ns, "freelancer", "39211345", func(p *v1alpha1.Posting) { p.Name = "mine" })
	g.Expect(message(env.Client.Create(t.Context(), plain))).To(Equal(`Posting.onebid.dev "mine" is invalid: ` +
		`spec.postingID: Invalid value: metadata.name must be "freelancer.39211345", the one name of this posting`))
	hex := build.Posting(ns, "upwork", "~01", func(p *v1alpha1.Posting) { p.Name = "mine" })
	g.Expect(message(env.Client.Create(t.Context(), hex))).To(Equal(policy("postings.onebid.dev", "canonical-name",
		`metadata.name must be "upwork.x.7e3031", the one name of this posting`)("mine")))
}

func TestTheNameOfAPostingIsNotMovedToAnother(t *testing.T) {
	g := NewWithT(t)
	posting := build.Posting(env.Namespace(t), "freelancer", "1")
	g.Expect(env.Client.Create(t.Context(), posting)).To(Succeed())
	g.Expect(message(patched(t, env.Client, posting, `{"spec":{"postingID":"2"}}`))).To(Equal(
		`Posting.onebid.dev "freelancer.1" is invalid: spec.postingID: Forbidden: ` +
			`marketplace and postingID must not change: they are the Posting's name`))
}

func TestASecondBidOnAPostingIsRefused(t *testing.T) {
	ns := env.Namespace(t)
	created(t, ns, "1")
	NewWithT(t).Expect(message(env.Client.Create(t.Context(), build.Bid(ns, "freelancer", "1", build.Price("9", "EUR"))))).To(
		Equal(`bids.onebid.dev "freelancer.1" already exists`))
}

func TestMarketplacesAreNamedSoThatBidsCanBe(t *testing.T) {
	ns := env.Namespace(t)
	for _, name := range []string{"free.lancer", strings.Repeat("m", 41)} {
		marketplace := build.Marketplace(ns, name, "https://marketplace.example")
		NewWithT(t).Expect(message(env.Client.Create(t.Context(), marketplace))).To(Equal(`Marketplace.onebid.dev "` + name +
			`" is invalid: spec: Invalid value: metadata.name must be a DNS label of at most 40 characters: it begins the name of every Bid`))
	}
	NewWithT(t).Expect(env.Client.Create(t.Context(),
		build.Marketplace(ns, strings.Repeat("m", 40), "https://marketplace.example"))).To(Succeed())
}

// What people see.
func TestKubectlSaysTheRightName(t *testing.T) {
	ns := env.Namespace(t)
	manifest := `apiVersion: onebid.dev/v1alpha1
kind: Bid
metadata: {name: bad, namespace: ` + ns + `}
spec: {marketplace: upwork, postingID: "%s", price: {amount: "250", currency: USD}}
`
	for id, want := range map[string]string{
		"2": `The Bid "bad" is invalid: spec.postingID: Invalid value: metadata.name must be "upwork.2", the one name of this posting` + "\n",
		"~2": `The bids "bad" is invalid: : ValidatingAdmissionPolicy 'canonical-name.onebid.dev' with binding ` +
			`'canonical-name.onebid.dev' denied request: metadata.name must be "upwork.x.7e32", the one name of this posting` + "\n",
	} {
		for _, args := range [][]string{{"create"}, {"apply"}, {"apply", "--server-side"}} {
			_, err := env.Admin().KubectlInput(t.Context(), strings.ReplaceAll(manifest, "%s", id), append(args, "-f", "-")...)
			NewWithT(t).Expect(message(err)).To(HaveSuffix("\n"+want), "kubectl %v", args)
		}
	}
}
