// Package ownership decides which process may act on a posting: the holder of the posting's Lease.
//
// Pure functions decide from a Lease, from what this process has observed, and from a time that is passed in. [Client]
// and [Members] do the requests. Two kinds of time are kept apart:
//
//   - The process's own monotonic clock measures how long a record was unchanged and how long a heartbeat is valid. Wall
//     clocks of two hosts are never compared for that.
//   - The API server's wall clock (package apiclock) dates what other processes read: tombstones and cooldowns.
//
// These words mean one thing each:
//
//   - holder: the process named in spec.holderIdentity.
//   - term: the time from one change of holder to the next; a [Token] identifies it.
//   - claim: the right of one process to act on a posting during one term.
//   - intent: the note on the Lease that a call to the marketplace may have been made.
//   - heartbeat: the Lease by which a replica shows that it is alive, for all postings that it holds.
//   - epoch: counts how often the heartbeat became valid; a claim of an earlier epoch must be asserted again.
//   - assert: write a held Lease again, to prove that this process still is the holder.
//   - unconfirmed: a Lease that this process tried to take without getting a reply.
//   - tombstone: a posting's Lease after its Bid ended; it forbids another bid until the cooldown is over.
//
// docs/decisions/0005-lease-protocol.md explains the protocol, and which shortcuts are unsafe.
//
//	          create                WriteTombstone
//	(none) ───────────► held ─────────────────────► tombstone ──► swept
//	   ▲                 │ ▲                            │
//	   │ Release         │ │ take over: no holder,      │ after the cooldown
//	   └─────────────────┘ │ observed dead, or scanner  │
//	                       └────────────────────────────┘
package ownership
