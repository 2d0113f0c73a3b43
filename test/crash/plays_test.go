package crash_test

import (
	"net/http"
	"slices"
	"syscall"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/failpoint"
	"github.com/onebid-dev/onebid/internal/marketsim"
)

// play leads a Bid to a boundary: it arms the fault when the point is next, and waits for it to strike.
type play struct {
	name string
	// classes in which it can be played; all when empty.
	classes []onebidv1.MarketplaceClass
	points  []failpoint.Point
	// places is true when the points Place and Wire are those of placing.
	places bool
	run    func(*scene)
}

var (
	keyed    = []onebidv1.MarketplaceClass{onebidv1.ClassIdempotencyKey}
	resend   = []onebidv1.MarketplaceClass{onebidv1.ClassIdempotencyKey, onebidv1.ClassUniquePerPosting}
	unsure   = []onebidv1.MarketplaceClass{onebidv1.ClassNone}
	lost     = marketsim.Fault{Verb: "place", Commit: "none", Reply: "drop", Times: 1}
	unheard  = marketsim.Fault{Verb: "place", Commit: "before", Reply: "drop", Times: 1}
	notNow   = marketsim.Fault{Verb: "place", Status: http.StatusTooManyRequests, RetryAfter: "1", Times: 1}
	stripped = client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
)

func plays() []play {
	const (
		create, update, assert, intents, tombstone, release = failpoint.LeaseCreate, failpoint.LeaseUpdate, failpoint.LeaseAssert,
			failpoint.LeaseIntents, failpoint.LeaseTombstone, failpoint.LeaseRelease
		lookup, place, wire, record, history = failpoint.Lookup, failpoint.Place, failpoint.Wire, failpoint.Record, failpoint.History
		withdraw, readBack, unhold           = failpoint.Withdraw, failpoint.ReadBack, failpoint.FinalizerRemove
	)
	type points = []failpoint.Point
	return []play{
		{name: "placed", points: points{create, place, wire, record, history}, places: true, run: (*scene).placed},
		{name: "looked up first", classes: unsure, points: points{lookup}, run: (*scene).placed},
		{name: "refused once", points: points{record, update}, run: (*scene).refused},
		{name: "reply lost", points: points{record}, run: (*scene).replyLost},
		{name: "found", points: points{lookup, record}, run: (*scene).found},
		{name: "absent", points: points{lookup, record}, run: (*scene).absent},
		{name: "sent again", classes: resend, points: points{update, place, wire}, places: true, run: (*scene).absent},
		{name: "answered", classes: unsure, points: points{record, update, lookup, place, wire}, places: true, run: (*scene).answered},
		{name: "taken over", points: points{update, record}, run: (*scene).takenOver},
		{name: "deleted", points: points{withdraw, wire, readBack, history, tombstone, unhold}, run: (*scene).deleted},
		{name: "withdrawn", points: points{withdraw, wire, readBack, record, history, tombstone}, run: (*scene).withdrawn},
		{name: "deleted while unknown", points: points{lookup, tombstone}, run: (*scene).cancelled},
		{name: "key burnt", classes: keyed, points: points{place, wire}, places: true, run: (*scene).cancelled},
		{name: "without finalizer", points: points{failpoint.FinalizerAdd}, run: (*scene).unheld},
		{name: "lapsed", points: points{update}, run: (*scene).lapsed},
		{name: "lapsed in an audit", classes: keyed, points: points{assert}, run: (*scene).auditLapsed},
		{name: "created again", classes: resend, points: points{update, lookup, intents}, run: (*scene).createdAgain},
		{name: "withdrawn for the next", classes: keyed, points: points{withdraw, readBack}, run: (*scene).createdAgain},
		{
			name: "orphaned", classes: keyed, points: points{release, update, failpoint.AuditWithdraw, readBack, tombstone},
			run: (*scene).orphaned,
		},
	}
}

// placed: the plain way.
func (s *scene) placed() {
	s.post()
	s.arm()
	s.create()
	s.strike()
}

// refused: the marketplace says "not now" to the first call.
func (s *scene) refused() {
	s.fail(notNow)
	s.placed()
}

// replyLost: the first call has its effect, and nobody hears of it.
func (s *scene) replyLost() {
	s.fail(unheard)
	s.placed()
}

// found: the same, and the fault strikes when that is found out.
func (s *scene) found() {
	s.fail(unheard)
	s.unknown()
	s.arm()
	s.strike()
}

// absent: the first call has no effect and no reply.
func (s *scene) absent() {
	s.fail(lost)
	s.unknown()
	s.arm()
	s.strike()
}

// answered: the same, and a person says that nothing was placed.
func (s *scene) answered() {
	s.fail(lost)
	s.create()
	s.until("Indeterminate", func(b *onebidv1.Bid) bool { return b.Status.State == onebidv1.StateIndeterminate })
	s.arm()
	s.strike()
}

// takenOver: a replica dies between call and reply, and the fault strikes the one that takes over.
func (s *scene) takenOver() {
	s.dieInTheCall()
	s.arm()
	s.crew.replace()
	s.strike()
}

// dieInTheCall creates a Bid and lets the replica that places it die before the reply.
func (s *scene) dieInTheCall() {
	for {
		s.armed("%s %s kill", failpoint.Wire, after)
		s.create()
		s.await("a replica that died", func() bool { return s.crew.reached() && s.crew.ended() > 0 })
		if slices.ContainsFunc(s.crew.replicas, func(r *replica) bool { return r.Ended() && s.heldBy(r) }) {
			return
		}
		// It was on an errand for an earlier cell's posting: once more, with another one.
		s.crew.replace()
		s.id += "-1"
	}
}

// deleted: a live bid whose Bid is deleted.
func (s *scene) deleted() {
	s.post()
	s.create()
	s.active()
	s.arm()
	s.crew.Delete(s.bid)
	s.strike()
}

// withdrawn: a live bid whose Bid says that it is not wanted any more.
func (s *scene) withdrawn() {
	s.post()
	s.create()
	s.active()
	s.arm()
	s.crew.Withdraw(s.bid, "test")
	s.strike()
}

// cancelled: a Bid is deleted before anybody knows what became of its call.
func (s *scene) cancelled() {
	s.fail(lost)
	s.unknown()
	s.arm()
	s.crew.Delete(s.bid)
	s.strike()
}

// unheld: a Bid without our finalizer, as in a cluster without the policy.
func (s *scene) unheld() {
	s.arm()
	s.create()
	s.patch(s.bid, stripped)
	s.strike()
}

// lapsed: the holder stood still for longer than its heartbeat lasts, and nobody was there to take over. Then the Bid is
// deleted.
func (s *scene) lapsed() {
	s.create()
	s.active()
	s.frozen(s.killOthers)
	s.lapse(func() { s.crew.Delete(s.bid) })
	s.strike()
}

// auditLapsed: the same in the middle of an audit.
func (s *scene) auditLapsed() {
	s.create()
	s.active()
	s.frozen(s.killOthers)
	looks := func() int { return len(s.crew.Calls(marketsim.VerbLookup, s.id)) }
	before := 0
	s.frozen(func() {
		s.strip()
		before = looks()
	})
	s.audits = true
	s.await("an audit", func() bool { return looks() > before })
	s.lapse(func() {})
	s.strike()
}

// lapse lets the heartbeat of the one replica that is left lapse, arms, and does something before that goes on.
func (s *scene) lapse(do func()) {
	s.frozen(func() {
		paused := time.Now()
		s.await("a lapse", func() bool { return time.Since(paused) > lapsed })
		s.arm()
		do()
	})
	s.crew.replace()
}

func (s *scene) killOthers() {
	for _, r := range s.crew.replicas {
		if !s.heldBy(r) {
			r.Kill()
		}
	}
}

// createdAgain: a Bid whose bid nobody knows of is stripped, deleted and created again. Where the marketplace stores keys
// the bid is withdrawn for the new one; else it cannot be told from that, and is adopted.
func (s *scene) createdAgain() {
	s.dieInTheCall()
	for _, r := range s.crew.replicas {
		r.Kill() // so that nobody finds out before the Bid is gone
	}
	s.strip()
	s.create()
	s.arm()
	s.crew.replace()
	s.strike()
}

// orphaned: the finalizer of a live bid's Bid is taken off by hand, and the audit finds what is left.
func (s *scene) orphaned() {
	// On some postings the replica that audits has the Lease already, and neither takes nor releases it.
	for again := true; again; again = s.crew.disarm() {
		s.id += "-1"
		s.create()
		s.active()
		// Armed while nobody runs: who reaches the mark and stops must not be let go on with the others.
		s.frozen(func() {
			s.strip()
			s.arm()
		})
		s.audits = true
		s.await("the mark, or the end", func() bool { return s.crew.reached() || s.row().Live == 0 && s.buried() })
	}
	s.strike()
}

// strip deletes the Bid and takes its finalizer off by hand.
func (s *scene) strip() {
	s.crew.Delete(s.bid)
	s.patch(s.bid, stripped)
}

// frozen does something while no replica runs.
func (s *scene) frozen(do func()) {
	s.crew.signal(syscall.SIGSTOP)
	s.await("all replicas to stand still", func() bool {
		return !slices.ContainsFunc(s.crew.replicas, func(r *replica) bool { return !r.Ended() && !r.stopped() })
	})
	do()
	s.crew.signal(syscall.SIGCONT)
}

// post creates the posting when the play is about what that remembers.
func (s *scene) post() {
	if s.cell.point != failpoint.History {
		return
	}
	posting := s.posting()
	s.crew.Create(posting)
	s.await("the posting's status", func() bool {
		s.must(world.Env.Client.Get(s.T.Context(), client.ObjectKeyFromObject(posting), posting))
		return len(posting.Status.Conditions) > 0
	})
}
