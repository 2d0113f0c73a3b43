package crash_test

import (
	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// check holds the ledger against what is promised, once the Bid is gone.
func (s *scene) check() {
	s.T.Helper()
	most := 1
	if s.cell.twice() {
		most = 2
		s.crew.ByHand++ // not by hand, but expected
		s.tidyUp()
	}
	row := s.row()
	if row.MaxLive > most {
		s.T.Errorf("I1 broken: %d bids were live at once", row.MaxLive)
	}
	if s.cell.twice() && row.MaxLive < most {
		s.T.Errorf("the late call should have made a second live bid: this cell shows nothing")
	}
	if row.Live > 0 {
		s.T.Errorf("I2 broken: %v are live, and their Bid is gone", row.LiveBids)
	}
	s.checkCalls()
	s.await("a tombstone", s.buried)
}

// tidyUp withdraws at the marketplace what onebid has no way of knowing to be its own.
func (s *scene) tidyUp() {
	for _, id := range s.row().LiveBids {
		s.must(world.Sim.SetState(s.T.Context(), s.crew.Market, id, marketsim.StateWithdrawn))
	}
}

// buried is true when the posting's Lease is held by nobody, settled, and without anything that is open.
func (s *scene) buried() bool {
	lease, err := s.lease()
	s.must(err)
	return ownership.HolderOf(lease) == "" && lease.Annotations[onebidv1.AnnotationEndedAt] != "" &&
		lease.Annotations[onebidv1.AnnotationIntent] == ""
}

// checkCalls is I5: after a call of unknown outcome comes a look-up, and in class None nothing but a person leads to
// another one.
func (s *scene) checkCalls() {
	s.T.Helper()
	open, unsettled, again := false, 0, 0
	for _, r := range s.crew.Ledger() {
		if r.Posting != s.id {
			continue
		}
		switch {
		case r.Kind == marketsim.KindCall && r.Verb == marketsim.VerbLookup:
			open = false
		case r.Kind == marketsim.KindCall && r.Verb == marketsim.VerbPlace:
			if open {
				again++
			}
			open = true
			unsettled++
		case r.Kind == marketsim.KindReply && r.Verb == marketsim.VerbPlace && r.Status >= 400 && r.Status < 500:
			open = false // a documented refusal
			unsettled--
		}
	}
	allowed := 0
	if s.cell.late() {
		allowed = 1 // who stood still could not know
	}
	if again > allowed {
		s.T.Errorf("I5 broken: %d place calls came after one of unknown outcome without a look-up in between", again)
	}
	if most := 1 + s.answers + allowed; s.crew.class == onebidv1.ClassNone && unsettled > most {
		s.T.Errorf("I5 broken: %d place calls that may have had an effect, and a person allowed %d", unsettled, most)
	}
}
