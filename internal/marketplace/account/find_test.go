package account_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

var ref = marketplace.Ref{BidID: "got", PostingID: "1"}

func open(driver *fakeDriver) *account.Account {
	return account.NewRegistry(account.Options{Clock: newClock()}).Connect(shop(patient), driver, time.Minute)
}

func TestFindProvesTheAccountAfterTheLookup(t *testing.T) {
	for _, c := range []struct {
		why, id string
		err     error
		want    onebidv1.ErrorClass
	}{
		{"it is ours", "us", nil, ""},
		{"the marketplace cannot tell", "", nil, ""},
		{"a stranger gets an empty list too", "them", nil, onebidv1.ErrorAuth},
		{"so does a session that has ended", "", failure(onebidv1.ErrorAuth, 0), onebidv1.ErrorAuth},
		{"without an answer nothing is proven", "", failure(onebidv1.ErrorTransient, 0), onebidv1.ErrorTransient},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			driver := &fakeDriver{id: c.id}
			if c.err != nil {
				driver.fail("account", c.err)
			}
			_, err := open(driver).Find(t.Context(), account.Query{AccountID: "us"}, "1")
			g.Expect(marketplace.ClassOf(err)).To(Equal(c.want), "%v", err)
			g.Expect(driver.order).To(Equal([]string{"lookup", "account"}), "one request each")
		})
	}
}

func TestOnlyABidThatFindDoesNotShowIsGone(t *testing.T) {
	shown := []marketplace.Bid{{ID: "other"}, {ID: "got", State: onebidv1.RemoteWon}}
	for _, c := range []struct {
		why      string
		found    []marketplace.Bid
		placedAt time.Time
		account  error
		want     onebidv1.RemoteState
		class    onebidv1.ErrorClass
	}{
		{why: "the lookup shows it", found: shown, want: onebidv1.RemoteWon},
		{why: "nothing shows it", found: shown[:1], want: onebidv1.RemoteWithdrawn},
		{why: "it was placed a settle time ago", placedAt: epoch.Add(-time.Minute), want: onebidv1.RemoteWithdrawn},
		{why: "it may not be shown yet", placedAt: epoch.Add(1 - time.Minute), class: onebidv1.ErrorTransient},
		{why: "the account is not proven", account: failure(onebidv1.ErrorAuth, 0), class: onebidv1.ErrorAuth},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			driver := &fakeDriver{found: c.found, errs: map[string]error{
				"get": failure(onebidv1.ErrorNotFound, 0), "account": c.account,
			}}
			bid, err := open(driver).Read(t.Context(), account.Query{}, ref, c.placedAt)
			g.Expect(marketplace.ClassOf(err)).To(Equal(c.class), "%v", err)
			g.Expect(bid.State).To(Equal(c.want))
		})
	}
}

func TestRetractBelievesOnlyWhatIsReadBack(t *testing.T) {
	for _, c := range []struct {
		why     string
		refused onebidv1.ErrorClass
		shown   onebidv1.RemoteState // "" is not found
		want    onebidv1.RemoteState
		class   onebidv1.ErrorClass
	}{
		{"accepted, and gone", "", onebidv1.RemoteWithdrawn, onebidv1.RemoteWithdrawn, ""},
		{"accepted, and still open", "", onebidv1.RemoteLive, "", onebidv1.ErrorTransient},
		{"accepted, and in a state that we do not know", "", onebidv1.RemoteUnknown, "", onebidv1.ErrorTransient},
		{"accepted, and not shown, although it was just placed", "", "", onebidv1.RemoteWithdrawn, ""},
		{"withdrawn before, and not shown", onebidv1.ErrorAlreadyWithdrawn, "", onebidv1.RemoteWithdrawn, ""},
		{"not known, and just placed", onebidv1.ErrorNotFound, "", "", onebidv1.ErrorTransient},
		{"no answer, and it had its effect", onebidv1.ErrorUnknownOutcome, onebidv1.RemoteWithdrawn, onebidv1.RemoteWithdrawn, ""},
		{"no answer, and no effect", onebidv1.ErrorUnknownOutcome, onebidv1.RemoteLive, "", onebidv1.ErrorUnknownOutcome},
		{"refused, because it was won", onebidv1.ErrorNotWithdrawable, onebidv1.RemoteWon, onebidv1.RemoteWon, ""},
		{"refused for now", onebidv1.ErrorNotWithdrawable, onebidv1.RemoteAwardPending, "", onebidv1.ErrorNotWithdrawable},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			driver := &fakeDriver{state: c.shown, errs: map[string]error{}}
			if c.refused != "" {
				driver.errs["withdraw"] = failure(c.refused, 0)
			}
			if c.shown == "" {
				driver.errs["get"] = failure(onebidv1.ErrorNotFound, 0)
			}
			state, err := open(driver).Retract(t.Context(), account.Query{}, ref, epoch, "why")
			g.Expect(marketplace.ClassOf(err)).To(Equal(c.class), "%v", err)
			g.Expect(state).To(Equal(c.want))
		})
	}
	for _, class := range []onebidv1.ErrorClass{
		onebidv1.ErrorAuth, onebidv1.ErrorForbidden, onebidv1.ErrorRateLimited, onebidv1.ErrorTransient,
	} {
		g := NewWithT(t)
		driver := &fakeDriver{}
		driver.fail("withdraw", failure(class, 0))
		_, err := open(driver).Retract(t.Context(), account.Query{Orphan: true}, ref, epoch, "why")
		g.Expect(marketplace.ClassOf(err)).To(Equal(class))
		g.Expect(driver.count("get")).To(BeZero(), "%s is no reason to read back", class)
	}
}

func TestRefusedCredentialsPauseTheAccount(t *testing.T) {
	for operation, pauses := range map[string]bool{"lookup": true, "place": true, "list": true, "identify": false} {
		g := NewWithT(t)
		driver := &fakeDriver{}
		a := open(driver)
		for _, o := range []string{"lookup", "place", "list", "account"} {
			driver.failAlso(o, failure(onebidv1.ErrorAuth, 0))
		}
		switch operation {
		case "lookup":
			g.Expect(find(t.Context(), a)).NotTo(Succeed())
		case "place":
			g.Expect(place(t.Context(), a)).NotTo(Succeed())
		case "list":
			_, err := a.List(t.Context())
			g.Expect(err).To(HaveOccurred())
		case "identify":
			_, err := a.Identify(t.Context())
			g.Expect(err).To(HaveOccurred())
		}
		want := account.Denial{}
		if pauses {
			want = account.Denial{Until: epoch.Add(30 * time.Second), Reason: onebidv1.ReasonAccountPaused}
		}
		g.Expect(a.Denied(account.Priority{})).To(Equal(want), operation)
	}
}

// depth notes how many frames lie between the test and a lookup.
type depth struct {
	fakeDriver
	frames int
}

func (d *depth) Lookup(context.Context, marketplace.Pacer, string) ([]marketplace.Bid, error) {
	calls := make([]uintptr, 32)
	frames := runtime.CallersFrames(calls[:runtime.Callers(2, calls)])
	for frame, more := frames.Next(); more && !strings.Contains(frame.Function, "_test."); frame, more = frames.Next() {
		d.frames++
	}
	return nil, nil
}

func TestTheDriverIsTwoFramesAway(t *testing.T) {
	g := NewWithT(t)
	driver := &depth{}
	a := account.NewRegistry(account.Options{Clock: newClock()}).Connect(shop(patient), driver, time.Minute)
	g.Expect(find(t.Context(), a)).To(Succeed())
	g.Expect(driver.frames).To(Equal(2), "Find and call")
}

func TestAnEmptyListIsProven(t *testing.T) {
	g := NewWithT(t)
	driver := &fakeDriver{}
	driver.fail("account", failure(onebidv1.ErrorAuth, 0))
	_, err := open(driver).List(t.Context())
	g.Expect(marketplace.ClassOf(err)).To(Equal(onebidv1.ErrorAuth))
	driver = &fakeDriver{bids: liveBids(1)}
	g.Expect(open(driver).List(t.Context())).To(HaveLen(2))
	g.Expect(driver.count("account")).To(BeZero())
}

// slow takes its time for each place, and ignores nothing but the clock.
type slow struct {
	fakeDriver
	takes time.Duration
}

func (d *slow) Place(ctx context.Context, _ marketplace.Pacer, _ marketplace.PlaceRequest) (marketplace.Bid, error) {
	select {
	case <-time.After(d.takes):
		return marketplace.Bid{}, nil
	case <-ctx.Done():
		return marketplace.Bid{}, &marketplace.Error{Class: onebidv1.ErrorUnknownOutcome, Err: ctx.Err()}
	}
}

func TestACallHasItsOwnDeadlineAndIsFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		driver := &slow{takes: 9 * time.Second}
		r := account.NewRegistry(account.Options{})
		defer r.Delete(key)
		a := r.Connect(shop(patient), driver, time.Minute)
		stopped, stop := context.WithCancel(t.Context())
		stop()
		g.Expect(place(stopped, a)).To(Succeed(), "a process that is to stop finishes it")
		driver.takes = time.Hour
		begun := time.Now()
		g.Expect(errors.Is(place(t.Context(), a), context.DeadlineExceeded)).To(BeTrue())
		g.Expect(time.Since(begun)).To(Equal(a.Timeout()))
	})
}

func TestAnUnresponsiveMarketplaceHasAQuarterOfTheWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewWithT(t)
		driver := &slow{}
		r := account.NewRegistry(account.Options{})
		r.SetWorkers(8)
		defer r.Delete(key)
		a := r.Connect(shop(patient), driver, time.Minute)
		var releases []func()
		acquire := func() bool {
			release, ok := a.Acquire()
			if ok {
				releases = append(releases, release)
			}
			return ok
		}
		for range 8 {
			g.Expect(acquire()).To(BeTrue(), "it may use every worker while it responds")
		}
		driver.takes = time.Hour
		g.Expect(place(t.Context(), a)).NotTo(Succeed())
		g.Expect(acquire()).To(BeFalse())
		for range 7 {
			releases[0]()
			releases = releases[1:]
		}
		g.Expect(acquire()).To(BeTrue())
		g.Expect(acquire()).To(BeFalse(), "a quarter of the workers")
		driver.takes = 0
		g.Expect(place(t.Context(), a)).To(Succeed())
		g.Expect(acquire()).To(BeTrue())
	})
}
