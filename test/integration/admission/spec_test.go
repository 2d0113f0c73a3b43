package admission

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

const (
	notDecimal  = `must be a decimal string such as "250" or "12.50": no sign, no exponent, no leading zero, at most 4 decimals`
	notPositive = "must be greater than 0"
	notISO      = `must be an ISO 4217 code of three capital letters, such as "USD"`
)

func TestAmountsThatAreNotMoneyAreRefused(t *testing.T) {
	var cases []refusal
	for amount, whys := range map[string][]string{
		"0":             {notPositive},
		"0.0000":        {notPositive},
		"-5":            {notDecimal, notPositive},
		"1e3":           {notDecimal},
		"007":           {notDecimal},
		"12.34567":      {notDecimal},
		"12,50":         {notDecimal},
		"1234567890123": {notDecimal},
		".5":            {notDecimal},
		"5.":            {notDecimal},
		"1k":            {notDecimal},
		"NaN":           {notDecimal},
		"2 50":          {notDecimal},
		"250\n":         {notDecimal},
	} {
		var causes []string
		for _, why := range whys {
			causes = append(causes, `spec.price.amount: Invalid value: "`+strings.ReplaceAll(amount, "\n", `\n`)+`": `+why)
		}
		cases = append(cases, refusal{amount, build.Price(amount, "USD"), schema(causes...)})
	}
	refusedAtCreation(t, env.Client, env.Namespace(t), append(cases, refusal{
		"12345678901234.1234", build.Price("12345678901234.1234", "USD"),
		schema("spec.price.amount: Too long: may not be more than 17 bytes", unchecked),
	}))
}

func TestAmountsAreKeptAsTheyAreWritten(t *testing.T) {
	ns := env.Namespace(t)
	for id, amount := range map[string]string{"1": "250", "2": "12.50", "3": "0.0001", "4": "999999999999.9999"} {
		bid := created(t, ns, id, build.Price(amount, "USD"))
		NewWithT(t).Expect(live(t, bid).Spec.Price.Amount).To(Equal(amount))
	}
}

func TestCurrenciesThatAreNotCodesAreRefused(t *testing.T) {
	var cases []refusal
	for _, currency := range []string{"usd", "US", "U1D", "US "} {
		cases = append(cases, refusal{currency, build.Price("250", currency),
			schema(`spec.price.currency: Invalid value: "` + currency + `": ` + notISO)})
	}
	refusedAtCreation(t, env.Client, env.Namespace(t), append(cases, refusal{
		"USDT", build.Price("250", "USDT"), schema("spec.price.currency: Too long: may not be more than 3 bytes", unchecked),
	}))
}

func TestWhatIsTooLargeIsRefused(t *testing.T) {
	refusedAtCreation(t, env.Client, env.Namespace(t), []refusal{
		{
			name:   "proposal over 16 KiB",
			change: build.Proposal(strings.Repeat("x", 16385)),
			want:   schema("spec.proposal: Too long: may not be more than 16384 bytes", unchecked),
		},
		{
			name: "attribute over 1 KiB",
			change: func(b *v1alpha1.Bid) {
				b.Spec.Attributes = map[string]v1alpha1.AttributeValue{"a": v1alpha1.AttributeValue(strings.Repeat("x", 1025))}
			},
			want: schema("spec.attributes.a: Too long: may not be more than 1024 bytes", unchecked),
		},
		{
			name:   "no days",
			change: func(b *v1alpha1.Bid) { b.Spec.DeliveryDays = -1 },
			want:   schema("spec.deliveryDays: Invalid value: -1: spec.deliveryDays in body should be greater than or equal to 1"),
		},
		{
			name:   "no price",
			change: func(b *v1alpha1.Bid) { b.Spec.Price = v1alpha1.Money{} },
			want:   schema("spec.price: Required value", unchecked),
		},
	})
}

// whole sets every field that cannot change later, as large as it may be.
func whole(b *v1alpha1.Bid) {
	b.Spec.DeliveryDays = 7
	b.Spec.Proposal = strings.Repeat("x", 16384)
	b.Spec.PostingCachedAt = new(metav1.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))
	b.Spec.Attributes = map[string]v1alpha1.AttributeValue{"milestone": "1"}
	b.Spec.Withdraw = &v1alpha1.BidWithdraw{Reason: "the scope changed"}
}

const (
	mustStay  = ": Forbidden: must not change: a Bid's spec cannot change; delete the Bid and create it again"
	mustNotGo = ": Forbidden: must not be added or removed: a Bid's spec cannot change; delete the Bid and create it again"
	samePrice = "spec.price: Forbidden: must stay 250 USD: a Bid cannot change; delete it, wait for the cooldown and create it again"
)

func TestNothingIsAddedToASpec(t *testing.T) {
	bid := created(t, env.Namespace(t), "1")
	from := build.Bid("", "freelancer", "1", whole).Spec
	refusedAtUpdate(t, env.Client, bid, []refusal{
		{"deliveryDays", func(b *v1alpha1.Bid) { b.Spec.DeliveryDays = from.DeliveryDays }, schema("spec.deliveryDays" + mustNotGo)},
		{"proposal", func(b *v1alpha1.Bid) { b.Spec.Proposal = from.Proposal }, schema("spec.proposal" + mustNotGo)},
		{"postingCachedAt", func(b *v1alpha1.Bid) { b.Spec.PostingCachedAt = from.PostingCachedAt }, schema("spec.postingCachedAt" + mustNotGo)},
		{"attributes", func(b *v1alpha1.Bid) { b.Spec.Attributes = from.Attributes }, schema("spec.attributes" + mustNotGo)},
	})
}

func TestNothingInASpecIsEdited(t *testing.T) {
	bid := created(t, env.Namespace(t), "2", whole)
	later := new(metav1.NewTime(bid.Spec.PostingCachedAt.Add(time.Second)))
	refusedAtUpdate(t, env.Client, bid, []refusal{
		{
			"marketplace", func(b *v1alpha1.Bid) { b.Spec.Marketplace = "upwork" },
			schema("spec.marketplace: Forbidden: must stay freelancer: it is part of the name"),
		},
		{
			"postingID", func(b *v1alpha1.Bid) { b.Spec.PostingID = "3" },
			schema("spec.postingID: Forbidden: must not change: it is part of the name"),
		},
		{"amount", build.Price("240", "USD"), schema(samePrice)},
		{"amount written otherwise", build.Price("250.00", "USD"), schema(samePrice)},
		{"currency", build.Price("250", "EUR"), schema(samePrice)},
		{"deliveryDays", func(b *v1alpha1.Bid) { b.Spec.DeliveryDays = 8 }, schema("spec.deliveryDays" + mustStay)},
		{"proposal", build.Proposal("y"), schema("spec.proposal" + mustStay)},
		{"postingCachedAt", func(b *v1alpha1.Bid) { b.Spec.PostingCachedAt = later }, schema("spec.postingCachedAt" + mustStay)},
		{"attribute edited", func(b *v1alpha1.Bid) { b.Spec.Attributes["milestone"] = "2" }, schema("spec.attributes" + mustStay)},
		{"attribute added", func(b *v1alpha1.Bid) { b.Spec.Attributes["more"] = "2" }, schema("spec.attributes" + mustStay)},
	})
}

func TestNothingInASpecIsRemoved(t *testing.T) {
	bid := created(t, env.Namespace(t), "2", whole)
	refusedAtUpdate(t, env.Client, bid, []refusal{
		{"deliveryDays", func(b *v1alpha1.Bid) { b.Spec.DeliveryDays = 0 }, schema("spec.deliveryDays" + mustNotGo)},
		{"proposal", build.Proposal(""), schema("spec.proposal" + mustNotGo)},
		{"postingCachedAt", func(b *v1alpha1.Bid) { b.Spec.PostingCachedAt = nil }, schema("spec.postingCachedAt" + mustNotGo)},
		{"attributes", func(b *v1alpha1.Bid) { b.Spec.Attributes = nil }, schema("spec.attributes" + mustNotGo)},
	})
}

func TestWithdrawIsSetOnce(t *testing.T) {
	bid := created(t, env.Namespace(t), "1")
	NewWithT(t).Expect(patched(t, env.Client, bid, `{"spec":{"withdraw":{"reason":"the scope changed"}}}`)).To(Succeed())
	refusedAtUpdate(t, env.Client, bid, []refusal{
		{
			name:   "changed",
			change: func(b *v1alpha1.Bid) { b.Spec.Withdraw.Reason = "another" },
			want:   schema("spec.withdraw: Forbidden: must not change once set"),
		},
		{
			name:   "unset",
			change: func(b *v1alpha1.Bid) { b.Spec.Withdraw = nil },
			want: schema("spec.withdraw: Forbidden: must stay: a withdrawal cannot be taken back; " +
				"delete the Bid and create it again to place another bid"),
		},
	})
}

func TestWithdrawNeedsAReason(t *testing.T) {
	bid := created(t, env.Namespace(t), "1")
	refusedAtUpdate(t, env.Client, bid, []refusal{{
		name:   "empty",
		change: func(b *v1alpha1.Bid) { b.Spec.Withdraw = &v1alpha1.BidWithdraw{} },
		want:   schema("spec.withdraw.reason: Required value", unchecked),
	}})
}
