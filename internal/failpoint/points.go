// Package failpoint marks the boundaries between the steps of the protocol, so that a test can end or stop the process
// exactly there.
//
// Each request that changes something, or that a decision rests on, has a point: Before it is sent and After it was
// carried out. The marks do something only in programs that are built with the tag "failpoints". In all others they are
// empty functions, which the compiler leaves out.
//
// A program with the tag reads the file that $ONEBID_FAILPOINT_FILE names each time it comes to a mark. The file holds
// one line, such as
//
//	place before kill
//
// that is a point, before or after, and what the process does to itself there: kill (SIGKILL), stop (SIGSTOP, until a
// SIGCONT) or pass (nothing). The process removes the file first, so it happens once, however many processes are given
// the same file, and a test can see that it did.
package failpoint

// Point names a request.
type Point string

// The points.
const (
	// LeaseCreate creates a posting's Lease, with holder, Bid and intent.
	LeaseCreate Point = "lease-create"
	// LeaseUpdate takes a posting's Lease over, or puts another intent on it.
	LeaseUpdate Point = "lease-update"
	// LeaseAssert writes a posting's Lease again after a lapse of the heartbeat.
	LeaseAssert Point = "lease-assert"
	// LeaseIntents takes intents off a posting's Lease that were resolved or not used.
	LeaseIntents Point = "lease-intents"
	// LeaseTombstone makes a posting's Lease the tombstone.
	LeaseTombstone Point = "lease-tombstone"
	// LeaseRelease deletes a posting's Lease, or clears its holder.
	LeaseRelease Point = "lease-release"
	// Lookup lists our bids on a posting, after the settle time or before a place.
	Lookup Point = "lookup"
	// Place is the call that places a bid, from the decision to its outcome.
	Place Point = "place"
	// Withdraw is the call that withdraws a Bid's bid.
	Withdraw Point = "withdraw"
	// Wire is where the bytes of a place or withdraw leave: nothing checks anything any more, and no deadline holds them
	// back. Over TLS it is the handshake.
	Wire Point = "wire"
	// ReadBack reads one bid from the marketplace.
	ReadBack Point = "read-back"
	// Record writes the status of a Bid.
	Record Point = "record"
	// History writes the status of a Posting.
	History Point = "history"
	// FinalizerAdd puts our finalizer on a Bid.
	FinalizerAdd Point = "finalizer-add"
	// FinalizerRemove takes our finalizer off a Bid.
	FinalizerRemove Point = "finalizer-remove"
	// AuditWithdraw is the call by which the audit withdraws an orphan.
	AuditWithdraw Point = "audit-withdraw"
)

// All is every point.
func All() []Point {
	return []Point{
		LeaseCreate, LeaseUpdate, LeaseAssert, LeaseIntents, LeaseTombstone, LeaseRelease, Lookup, Place, Withdraw, Wire, ReadBack,
		Record, History, FinalizerAdd, FinalizerRemove, AuditWithdraw,
	}
}
