// Package bidding decides what happens to a Bid. It is pure: no I/O, no clock of its own, no randomness of its own.
//
// The controller gathers Facts, Next picks one Step, the controller carries it out, and a Change notes the result in
// the Bid's status. A Bid's life:
//
//	           ┌────────► Rejected   refused: by an approver, by the marketplace for good, or (after Withdrawn) by its owner
//	Pending ───┼────────► Duplicate  the account already has another bid there; never touched by us
//	  ▲ │      └────────► Expired    posting went stale or closed before a bid was placed, or the bid lapsed
//	  │ ▼
//	(retry)──► Active ──► Won | Lost | Expired      read from the marketplace by the outcome poll
//	  │          │
//	  ▼          ▼
//	Indeterminate Withdrawing ──► Withdrawn ──► Rejected   when the marketplace later says so
package bidding
