// Package bid is the controller of Bids. One reconcile reads once, decides with a pure function, acts and writes once:
//
//	Reconcile            reconciler.go   gathers what the caches show (gather.go); bidding.Next plans one action
//	  claim              claim.go        takes the posting's Lease, for a place with the intent in the same write, and reads the
//	                                     Bid past the cache
//	  bidding.Decide                     says on the live Bid, the Lease and this process's own calls which step follows
//	  a step             step_*.go       does one thing and returns an effect; steps never call each other
//	  commit             commit.go       writes the effect: intents, status, Posting, tombstone, finalizer, event
//
// After a lookup or a call Decide is asked again, with what that showed.
//
// A crash between claim and record leaves an intent on the Lease. The next holder finds it, so Decide sees an open attempt: it
// records the outcome as unknown first (the fence), waits for the settle time, looks the bid up, and then adopts it, sends the
// same key again, or calls a person, by the Marketplace's class. A crash after the record leaves an intent whose attempt the
// status has: that is history.
package bid
