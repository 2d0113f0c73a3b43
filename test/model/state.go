// Package model searches the protocol of docs/decisions/0005 and 0006 for one posting: every order of steps, within a
// budget of faults and of a user's whims, breadth-first, so that a violation comes with its shortest trace.
//
// It is written after internal/ownership and internal/controller/bid, and calls what it shares with them by the same
// names. What it leaves out is in docs/decisions/0008.
package model

// class of a marketplace.
type class uint8

const (
	idempotencyKey class = iota
	uniquePerPosting
	none
)

// rules that can be left out, to see what breaks.
type rules struct {
	intentsAreOverwritten, lapseKeepsTokens, deathUnconfirmed, settleNotWaited, cacheAuthorises, keyNotBurned, noFence,
	tombstoneOpen, earlierAttemptWins, learnedNotAdded, verdictOnAnyVersion, noHome, noCooldown, flightsForgotten,
	priorIgnored bool
}

// config is one run.
type config struct {
	name  string
	class class
	// keys is true when the marketplace gives keys back.
	keys bool
	// beyond allows one send later than every bound; only I1 and I5 are promised then.
	beyond bool
	// faults and whims are how many there may be; uids how many Bids of the posting.
	faults, whims, uids uint8
	// person allows abandoning, strip the removal of the finalizer by hand.
	person, strip bool
	without       rules
}

type placed uint8

const (
	placedFalse placed = iota
	placedTrue
	placedUnknown
)

type outcome uint8

const (
	pending outcome = iota
	withdrawn
	duplicate
)

// bid is a Bid; uid 0 is none.
type bid struct {
	uid                         uint8
	placed                      placed
	attempts, remote            uint8
	outcome                     outcome
	indeterminate               bool
	deleting, withdraw, abandon bool
	finalizer                   bool
}

func (b bid) withdrawing() bool { return b.deleting || b.withdraw }

func (b bid) sameStatus(o bid) bool {
	o.deleting, o.withdraw, o.abandon, o.finalizer = b.deleting, b.withdraw, b.abandon, b.finalizer
	return b == o
}

// intents by UID: 0 is none, 1 a bare claim, 1+n the attempt n.
type intents [maxUIDs + 1]uint8

func (i intents) without(uid uint8) intents {
	i[uid] = 0
	return i
}

func (i intents) only(uid uint8) (own intents) {
	own[uid] = i[uid]
	return own
}

const maxUIDs = 2

// lease is the posting's Lease. A holder is 1 or 2, or 3 for a process that is dead.
type lease struct {
	holder, bidUID             uint8
	settled, cooldown, givenUp bool
	intents                    intents
}

const deadHolder = 3

// flight is what a process remembers of a place call; learned is the marketplace's ID, 0 when that is unknown.
type flight struct{ attempt, learned uint8 }

// replica is a process. All but up is lost in a crash.
type replica struct {
	pc  pc
	act action
	// up, beating and void: running; with an acknowledged heartbeat; whose claim was made before the last lapse.
	up, beating, void bool
	cache, live       bid
	// held, bidUID, prior, inherited: the claim.
	held, inherited, exhumed bool
	// fresh is true when the Lease did not name this Bid before this very reconcile.
	fresh bool
	// ousted is true when the Lease changed hands since the claim, which the process need not know.
	ousted       bool
	bidUID       uint8
	prior, known intents // found at the claim; on the Lease as last written
	flights      [maxUIDs + 1]flight
	// what is to be written next, about which attempt, with which remote bid.
	what        fact
	attempt, id uint8
}

type stage uint8

const (
	noCall stage = iota
	sent
	answered
)

// call is a place call. covered calls are those that a settle wait which began by now covers.
type call struct {
	stage           stage
	uid, id         uint8
	covered, beyond bool
}

type sight uint8

const (
	visible sight = iota
	hidden
	hiddenCovered
)

// remote is a bid at the marketplace; uid 0 is none. Its ID is its place in the list, from 1.
type remote struct {
	uid   uint8
	live  bool
	sight sight
}

const (
	maxRemotes = 4
	maxCalls   = 4 // one of each replica, then those that their sender has given up
)

// state is all there is.
type state struct {
	bid           bid
	lease         lease
	reps          [2]replica
	calls         [maxCalls]call
	market        [maxRemotes]remote
	uids          uint8
	faults, whims uint8
	// What no process knows: UIDs with an open outcome, those of Bids stripped of their finalizer or abandoned, and the
	// remote bids that a process learned of when their Bid was gone, until it tried to withdraw them.
	open, stripped, abandoned, owed uint8
	broken                          violation
}

// violation is a promise that a step broke.
type violation uint8

func bit(n uint8) uint8 { return 1 << n }
