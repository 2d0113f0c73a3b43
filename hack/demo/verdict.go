package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
)

// plan is what the demo set out to do.
type plan struct {
	market   string
	account  string
	class    v1alpha1.MarketplaceClass
	postings []string
	// byDelete and bySpec are the postings whose bids were to be withdrawn.
	byDelete, bySpec []string
}

// broken is a promise that was not kept for one posting; Posting is empty when it is about all of them.
type broken struct {
	Posting string
	What    string
}

// verdict is what the ledger, which knows nothing of onebid, says about the promises; the notes of the API server's
// client complete it where a promise is about the cluster.
type verdict struct {
	// Counted over the postings of the plan, in the ledger.
	PlaceCalls, Bids, Live, PlacedTwice, RefusedThere, Withdrawn, StillLive int
	// CutOff counts the place calls that were under way when the manager was killed.
	CutOff int
	// Waiting counts the Bids that wait for a person, which the class None allows.
	Waiting int
	// Broken is empty when every promise was kept. It is sorted by posting.
	Broken []broken
}

// judge compares the plan with the whole ledger and with the notes. killed is when a manager was killed, by the ledger's
// clock; zero when none was.
func judge(p plan, ledger []marketsim.Record, notes map[string]note, killed time.Time) verdict {
	v := verdict{CutOff: cutOff(ledger, p.market, killed)}
	rows := map[string]marketsim.Row{}
	for _, row := range marketsim.Summarize(ledger).Rows {
		if row.Market != p.market || row.Account != p.account {
			v.complain(row.Posting, "call to market %q by account %q, which is not expected", row.Market, row.Account)
			continue
		}
		rows[row.Posting] = row
	}
	wishes := p.wishes()
	for id, wish := range wishes {
		v.judgePosting(p.class, id, wish, rows[id], notes[id])
	}
	for id, row := range rows {
		if _, planned := wishes[id]; !planned {
			v.complain(id, "%d place calls on a posting that no scanner found", row.PlaceCalls)
		}
	}
	slices.SortFunc(v.Broken, func(a, b broken) int {
		return cmp.Or(cmp.Compare(a.Posting, b.Posting), cmp.Compare(a.What, b.What))
	})
	return v
}

const (
	wishDelete   = "delete"
	wishWithdraw = "spec.withdraw"
)

// wishes is what is to become of each posting's bid; empty for one that stays.
func (p plan) wishes() map[string]string {
	wishes := map[string]string{}
	for _, id := range p.postings {
		wishes[id] = ""
	}
	for _, id := range p.byDelete {
		wishes[id] = wishDelete
	}
	for _, id := range p.bySpec {
		wishes[id] = wishWithdraw
	}
	return wishes
}

func (v *verdict) complain(posting, format string, args ...any) {
	v.Broken = append(v.Broken, broken{posting, fmt.Sprintf(format, args...)})
}

func (v *verdict) judgePosting(class v1alpha1.MarketplaceClass, id, wish string, row marketsim.Row, n note) {
	v.PlaceCalls += row.PlaceCalls
	v.RefusedThere += row.DuplicatesRefused
	v.Withdrawn += row.Withdrawn
	v.Live += row.Live
	if row.Placed > 0 {
		v.Bids++
	}
	// Nothing here is bid on again after a withdrawal, so even one after the other would be one too many.
	if row.Placed > 1 || row.MaxLive > 1 {
		v.PlacedTwice++
		v.complain(id, "placed %d times, %d of them live at once", row.Placed, row.MaxLive)
	}
	if n.Acks > 1 {
		v.complain(id, "the API server acknowledged %d creations of its Bid", n.Acks)
	}
	if waits(class, n) {
		v.Waiting++
		return
	}
	if row.Placed == 0 {
		v.complain(id, "lost: no bid was ever placed; %s", n.describe())
	}
	if wish == "" {
		v.judgeKept(id, row, n)
	} else {
		v.judgeWithdrawn(id, wish, row, n)
	}
}

// waits reports whether a Bid waits for a person, as it may at a marketplace that gives nothing to find out with whether
// a call took effect whose reply was lost.
func waits(class v1alpha1.MarketplaceClass, n note) bool {
	return class == v1alpha1.ClassNone && n.Stalled == v1alpha1.ReasonIndeterminate
}

func (v *verdict) judgeKept(id string, row marketsim.Row, n note) {
	if row.Placed > 0 && row.Live == 0 {
		v.complain(id, "lost: no live bid is left; %s", n.describe())
	}
	if !n.active() {
		v.complain(id, "the Bid is not Active; %s", n.describe())
	}
}

func (v *verdict) judgeWithdrawn(id, wish string, row marketsim.Row, n note) {
	if row.Live > 0 {
		v.StillLive++
		v.complain(id, "still live after withdrawal by %s: bid %v", wish, row.LiveBids)
	}
	if !n.ended(wish) {
		v.complain(id, "the withdrawal by %s has not ended; %s", wish, n.describe())
	}
}

// active reports whether the Bid is there and live.
func (n note) active() bool { return n.Seen && !n.Gone && n.Placed && !n.Withdrawn }

// ended reports whether the withdrawal is done as far as the cluster says.
func (n note) ended(wish string) bool {
	if wish == wishDelete {
		return n.Seen && n.Gone
	}
	return n.Withdrawn
}

func (n note) describe() string {
	switch {
	case !n.Seen:
		return "no Bid was ever seen"
	case n.Gone:
		return "the Bid is gone"
	}
	return fmt.Sprintf("the Bid is %s (%s: %s)", cmp.Or(n.State, "without a state"), n.Reason, n.Message)
}

// missing lists what still has to happen before everything has settled, in the order of the plan.
func (p plan) missing(notes map[string]note) []broken {
	var out []broken
	wishes := p.wishes()
	for _, id := range p.postings {
		n, wish := notes[id], wishes[id]
		switch {
		case waits(p.class, n):
		case wish == "" && !n.active():
			out = append(out, broken{id, "not Active: " + n.describe()})
		case wish != "" && !n.ended(wish):
			out = append(out, broken{id, "not withdrawn by " + wish + ": " + n.describe()})
		}
	}
	return out
}

// cutOff counts the place calls that had arrived, and were not answered, at an instant.
func cutOff(ledger []marketsim.Record, market string, at time.Time) int {
	open := openCalls{}
	for _, r := range ledger {
		if r.Market == market && r.Time.Before(at) {
			open.add(r)
		}
	}
	return len(open)
}

// openCalls are the place calls, by the seq of their record, that have not been answered.
type openCalls map[int64]bool

func (o openCalls) add(r marketsim.Record) {
	switch {
	case r.Verb != marketsim.VerbPlace:
	case r.Kind == marketsim.KindCall:
		o[r.Seq] = true
	case r.Kind == marketsim.KindReply:
		delete(o, r.Call)
	}
}
