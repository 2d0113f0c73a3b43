package marketplace

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/shopspring/decimal"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	contract "github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/testenv/build"
)

func placed(bid *onebidv1.Bid) {
	bid.Status.Conditions = []metav1.Condition{{
		Type: onebidv1.ConditionPlaced, Status: metav1.ConditionTrue, Reason: onebidv1.ReasonPlaced,
		LastTransitionTime: metav1.Unix(1, 0),
	}}
}

func TestCounts(t *testing.T) {
	settled := func(bid *onebidv1.Bid) { bid.Status.Outcome = onebidv1.StateWithdrawn }
	held := func(bid *onebidv1.Bid) { bid.Finalizers = []string{onebidv1.FinalizerWithdraw} }
	cases := map[string]struct {
		why        string
		bids       []*onebidv1.Bid
		active     int
		committed  string
		unfinished int
	}{
		"none": {why: "nothing committed is no text at all"},
		"not placed yet": {
			why: "a Bid that waits costs nothing, but needs its Marketplace", unfinished: 1,
			bids: []*onebidv1.Bid{build.Bid("ns", "m", "1")},
		},
		"live": {
			why: "sums are exact, by currency, and keep the decimals that were bid", active: 4, unfinished: 4,
			committed: "12.50 EUR, 250.30 USD",
			bids: []*onebidv1.Bid{
				build.Bid("ns", "m", "1", placed, build.Price("250", "USD")),
				build.Bid("ns", "m", "2", placed, build.Price("0.1", "USD")),
				build.Bid("ns", "m", "3", placed, build.Price("0.20", "USD")),
				build.Bid("ns", "m", "4", placed, build.Price("12.50", "EUR")),
			},
		},
		"settled": {
			why:  "what ended is neither live nor in the way",
			bids: []*onebidv1.Bid{build.Bid("ns", "m", "1", placed, settled)},
		},
		"settled with its finalizer": {
			why: "until the finalizer is gone the last word may not have been read back", unfinished: 1,
			bids: []*onebidv1.Bid{build.Bid("ns", "m", "1", placed, settled, held)},
		},
		"no amount": {
			why: "what admission cannot have let in is not counted as money", active: 1, unfinished: 1, committed: "0 USD",
			bids: []*onebidv1.Bid{build.Bid("ns", "m", "1", placed, build.Price("many", "USD"))},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			var sum counts
			for _, bid := range c.bids {
				sum.add(bid)
			}
			g.Expect(sum.active.Active).To(Equal(c.active), c.why)
			g.Expect(sum.unfinished).To(Equal(c.unfinished), c.why)
			g.Expect(sum.committedText()).To(Equal(c.committed), c.why)
		})
	}
}

func TestCommittedFitsTheSchema(t *testing.T) {
	g := NewWithT(t)
	sum := counts{active: bidding.Totals{Committed: map[string]decimal.Decimal{}}}
	for i := range 200 {
		sum.active.Committed[fmt.Sprintf("A%c%c", 'A'+i/26, 'A'+i%26)] = decimal.RequireFromString("123456789012.3456")
	}
	text := sum.committedText()
	g.Expect(len(text)).To(BeNumerically("<=", maxCommittedLength))
	g.Expect(text).To(HaveSuffix(", …"))
	for _, part := range strings.Split(strings.TrimSuffix(text, ", …"), ", ") {
		g.Expect(part).To(MatchRegexp(`^123456789012\.3456 A[A-Z]{2}$`))
	}
}

// The sum is the same whatever the order, and no cent gets lost.
func TestCommittedIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cents := rapid.SliceOfN(rapid.Int64Range(1, 1_000_000_000), 1, 30).Draw(t, "cents")
		var sum counts
		var total int64
		for _, c := range cents {
			total += c
			sum.add(build.Bid("ns", "m", "1", placed, build.Price(decimal.New(c, -2).StringFixed(2), "USD")))
		}
		if want := fmt.Sprintf("%d.%02d USD", total/100, total%100); sum.committedText() != want {
			t.Fatalf("got %s, want %s", sum.committedText(), want)
		}
	})
}

func TestAccountBackoff(t *testing.T) {
	g := NewWithT(t)
	now := time.Unix(1000, 0)
	retry := onebidv1.RetryPolicy{InitialSeconds: 2, MaxSeconds: 10}
	fail := func(a identification, class onebidv1.ErrorClass, after time.Duration) (identification, time.Duration) {
		a = a.after("", &contract.Error{Class: class, RetryAfter: after}, retry, now)
		return a, a.next.Sub(now)
	}

	var waits []time.Duration
	var a identification
	var wait time.Duration
	for range 5 {
		a, wait = fail(a, onebidv1.ErrorTransient, 0)
		waits = append(waits, wait)
	}
	g.Expect(waits).To(Equal([]time.Duration{2e9, 4e9, 8e9, 10e9, 10e9}), "as spec.retry says")

	_, wait = fail(a, onebidv1.ErrorRateLimited, time.Minute)
	g.Expect(wait).To(Equal(time.Minute), "never before the marketplace allows it")

	refused, wait := fail(identification{}, onebidv1.ErrorAuth, 0)
	g.Expect(wait).To(Equal(refusedRetryInitial), "refused credentials are tried seldom")
	for range 100 {
		refused, wait = fail(refused, onebidv1.ErrorAuth, 0)
	}
	g.Expect(wait).To(Equal(refusedRetryMax), "and ever more seldom, up to a bound")
	g.Expect(refused.due(now, "")).To(BeFalse())
	g.Expect(refused.due(now, "please")).To(BeTrue(), "a person may ask for it")
	g.Expect(refused.due(now.Add(refusedRetryMax), "")).To(BeTrue())

	known := refused.after("me", nil, retry, now)
	g.Expect(known).To(Equal(identification{asked: true, id: "me"}), "success forgets the failures")
	g.Expect(known.due(now.Add(1000*time.Hour), "")).To(BeFalse(), "what is known is not asked again")

	_, wait = fail(known, onebidv1.ErrorTransient, 0)
	g.Expect(wait).To(Equal(2 * time.Second))
	g.Expect(backoff(0, 0, 3)).To(Equal(time.Second), "a spec that no API server has defaulted does not spin")
}

func stateOf(market *onebidv1.Marketplace, entry entry) *state {
	return &state{marketplace: market, entry: &entry, counts: entry.counts}
}

func TestReadyCondition(t *testing.T) {
	withSecret := func(m *onebidv1.Marketplace) {
		m.Spec.CredentialsSecretRef = &onebidv1.SecretReference{Name: "token"}
	}
	wasReady := func(m *onebidv1.Marketplace) {
		m.Generation = 3
		m.Status.Conditions = []metav1.Condition{{
			Type: "Ready", Status: "True", Reason: "Ready", Message: "as before", ObservedGeneration: 3,
		}}
	}
	deleted := func(m *onebidv1.Marketplace) { m.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }
	cases := map[string]struct {
		why             string
		change          func(*onebidv1.Marketplace)
		entry           entry
		missing         string
		status          metav1.ConditionStatus
		reason, message string
	}{
		"ready": {
			why: "nothing is in the way", entry: entry{account: identification{asked: true}}, status: "True", reason: "Ready",
			message: "The driver is built and the credentials are there; spec.mode says whether bids are placed",
		},
		"missing before invalid": {
			why: "without credentials the driver was not even tried", missing: "no Secret",
			entry: entry{invalid: errors.New("bad")}, status: "False", reason: "CredentialsMissing", message: "no Secret",
		},
		"invalid": {
			why:    "the factory's text is for the person who wrote the spec",
			entry:  entry{invalid: errors.New("spec.http.place: 1:3: no")},
			status: "False", reason: "InvalidDriver", message: "spec.http.place: 1:3: no",
		},
		"refused": {
			why: "the Secret is what has to change", change: withSecret,
			entry: entry{account: identification{asked: true, class: onebidv1.ErrorAuth}}, status: "False", reason: "CredentialsInvalid",
			message: `The marketplace does not accept the credentials in Secret "token" of namespace "ns": correct that Secret; ` +
				"it is tried again as soon as it changes",
		},
		"refused without a Secret": {
			why:   "there is no Secret to correct",
			entry: entry{account: identification{asked: true, class: onebidv1.ErrorAuth}}, status: "False", reason: "CredentialsInvalid",
			message: "The marketplace wants credentials: create a Secret with them and name it in spec.credentialsSecretRef",
		},
		"not reached": {
			why:    "nothing is proved yet",
			entry:  entry{account: identification{asked: true, class: onebidv1.ErrorTransient}},
			status: "Unknown", reason: "MarketplaceError",
			message: "The request for the marketplace's account failed as Transient and is repeated. If this lasts, check the " +
				"address and the account request in spec.http",
		},
		"not reached any more": {
			why: "a marketplace that is down is still configured well", change: wasReady,
			entry:  entry{account: identification{asked: true, class: onebidv1.ErrorTransient}},
			status: "True", reason: "Ready", message: "as before",
		},
		"one Bid in the way": {
			why: "deletion comes first, whatever else is wrong", change: deleted, missing: "no Secret",
			entry: entry{counts: counts{unfinished: 1}}, status: "False", reason: "InUse",
			message: "The Marketplace is being deleted, but 1 unfinished Bid needs it: delete what `kubectl get bids " +
				"--field-selector spec.marketplace=m` lists, and it goes once all are withdrawn",
		},
		"Bids in the way": {
			why: "people read numbers", change: deleted,
			entry: entry{counts: counts{unfinished: 2}}, status: "False", reason: "InUse",
			message: "The Marketplace is being deleted, but 2 unfinished Bids need it: delete what `kubectl get bids " +
				"--field-selector spec.marketplace=m` lists, and it goes once all are withdrawn",
		},
		"none in the way": {
			why: "somebody else's finalizer may hold it", change: deleted, status: "False", reason: "InUse",
			message: "The Marketplace is being deleted",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			market := build.Marketplace("ns", "m", "https://example.com")
			if c.change != nil {
				c.change(market)
			}
			s := stateOf(market, c.entry)
			s.missing = c.missing
			got := readyCondition(s)
			g.Expect(got.Status).To(Equal(c.status), c.why)
			g.Expect(got.Reason).To(Equal(c.reason), c.why)
			g.Expect(got.Message).To(Equal(c.message), c.why)
		})
	}
}

func TestSuspendedCondition(t *testing.T) {
	g := NewWithT(t)
	for mode, want := range map[onebidv1.MarketplaceMode]string{
		onebidv1.ModeLive: "False ModeLive", onebidv1.ModeDryRun: "False ModeDryRun", onebidv1.ModeSuspended: "True ModeSuspended",
	} {
		got := suspendedCondition(&onebidv1.Marketplace{Spec: onebidv1.MarketplaceSpec{Mode: mode}})
		g.Expect(string(got.Status) + " " + got.Reason).To(Equal(want))
	}
}

func TestBounds(t *testing.T) {
	g := NewWithT(t)
	g.Expect(*settleSeconds(1500 * time.Millisecond)).To(Equal(int32(2)), "rounded up: never too short")
	g.Expect(*settleSeconds(-1)).To(Equal(int32(0)))
}

// However Bids change, each change is counted in the end, and never are they counted twice within the interval.
func TestTrackerCountsInTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
		tracker, name := newTracker(clock), types.NamespacedName{Namespace: "ns", Name: "m"}
		var last, due time.Time
		uncounted, deleting := true, false
		reconcile := func() (wait time.Duration) {
			turned := !deleting && rapid.IntRange(0, 9).Draw(t, "delete") == 0
			deleting = deleting || turned
			tracker.get(name, deleting)
			if wait = tracker.beginCount(name); wait > 0 {
				due = clock.Now().Add(wait)
				return wait
			}
			interval := countInterval
			if deleting {
				interval = countIntervalDeleting
			}
			if !last.IsZero() && !turned && clock.Now().Sub(last) < interval {
				t.Fatalf("counted again after %s", clock.Now().Sub(last))
			}
			last, uncounted = clock.Now(), false
			return 0
		}
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				if wait, needed := tracker.countDelay(name, false); needed {
					uncounted, due = true, clock.Now().Add(wait)
				}
			case 1:
				clock.SetTime(clock.Now().Add(time.Duration(rapid.IntRange(0, 12000).Draw(t, "ms")) * time.Millisecond))
			case 2:
				reconcile()
			}
		}
		if uncounted && !due.IsZero() {
			clock.SetTime(due)
			if reconcile() > 0 {
				t.Fatal("a change was announced and then not counted")
			}
		}
	})
}

func TestWhichChangesAreCountedAndWhen(t *testing.T) {
	g := NewWithT(t)
	clock := clocktesting.NewFakePassiveClock(time.Unix(100, 0))
	tracker, name := newTracker(clock), types.NamespacedName{Namespace: "ns", Name: "m"}
	needed := func(onlyUnfinished bool) bool {
		_, needed := tracker.countDelay(name, onlyUnfinished)
		return needed
	}
	g.Expect(needed(false)).To(BeFalse(), "a Marketplace that was never reconciled is counted when it is")

	tracker.get(name, false)
	g.Expect(tracker.beginCount(name)).To(BeZero())
	clock.SetTime(clock.Now().Add(time.Second / 2))
	wait, _ := tracker.countDelay(name, false)
	g.Expect(wait).To(Equal(9500 * time.Millisecond))
	g.Expect(tracker.beginCount(name)).To(Equal(wait), "a reconcile in between must not lose the count that was put off")

	g.Expect(needed(true)).To(BeFalse(), "nothing waits for unfinished Bids")
	tracker.get(name, true)
	g.Expect(tracker.beginCount(name)).To(BeZero(), "now the deletion does, and that change was not announced")
	g.Expect(needed(true)).To(BeTrue())
	g.Expect(tracker.beginCount(name)).To(Equal(time.Second))
	tracker.get(name, true)
	g.Expect(tracker.beginCount(name)).To(Equal(time.Second), "once")
	clock.SetTime(clock.Now().Add(time.Second))
	g.Expect(tracker.beginCount(name)).To(BeZero())

	g.Expect(tracker.forget(name)).NotTo(BeNil())
	g.Expect(tracker.forget(name)).To(BeNil())
	g.Expect(needed(false)).To(BeFalse())
}
