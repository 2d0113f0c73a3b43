// Package conformance is what every marketplace.Driver has to pass, against every marketplace that it is said to speak
// to. Run it from the driver's own tests, with a marketplace that can inject faults and counts calls.
package conformance

import (
	"strings"
	"testing"

	"github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// Harness is one driver with one marketplace.
type Harness struct {
	// Open returns a driver for an account; a new name is a new account without bids. The harness cleans up.
	Open func(t *testing.T, account string) marketplace.Driver
	// Market is the far side.
	Market Market
	// Class of the marketplace.
	Class onebidv1.MarketplaceClass
	// Currency that it takes.
	Currency string
	// PageSize of its lists, at most 10.
	PageSize int
	// Posting makes an ID that the marketplace could have out of a name, always the same. Default: the name itself.
	Posting func(name string) string
	// Takes says whether the marketplace could have a posting of the ID. Default: any.
	Takes func(postingID string) bool
	// AccountID is how the marketplace calls an account. Default: by its name.
	AccountID func(account string) string
}

func (h Harness) withDefaults() Harness {
	itself := func(name string) string { return name }
	if h.Posting == nil {
		h.Posting = itself
	}
	if h.Takes == nil {
		h.Takes = func(string) bool { return true }
	}
	if h.AccountID == nil {
		h.AccountID = itself
	}
	return h
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	h = h.withDefaults()
	for _, test := range []struct {
		name string
		run  func(*bench)
	}{
		{"a placed bid is found everywhere", placed},
		{"a preview sends nothing and shows no secret", previewed},
		{"a withdrawn bid is live nowhere", withdrawn},
		{"postings with odd IDs", oddPostings},
		{"a second bid meets what the class promises", secondBid},
		{"bids that do not exist", unknownBids},
		{"bids of another account", strangers},
		{"states that the marketplace moves a bid to", moved},
		{"refusals of a place", refusedPlaces},
		{"refusals of a withdrawal", refusedWithdrawals},
		{"refused credentials", refusedCredentials},
		{"how long to wait", waits},
		{"a place with an unknown outcome", unknownPlaces},
		{"a withdrawal with an unknown outcome", unknownWithdrawals},
		{"a place that commits late", lateCommit},
		{"a bid that shows late", lateShow},
		{"reads that fail", failedReads},
		{"lists are read to the end", allPages},
		{"a list that breaks off", brokenPages},
		{"deadlines", deadlines},
		{"many calls at once", concurrency},
	} {
		t.Run(test.name, func(t *testing.T) {
			account := "account-" + strings.ReplaceAll(test.name, " ", "-")
			test.run(&bench{
				T: t, WithT: gomega.NewWithT(t), Harness: h, account: account, driver: h.Open(t, account),
			})
		})
	}
}
