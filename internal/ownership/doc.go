// Package ownership decides who may act on a posting: the holder of the posting's Lease.
//
// The maths is pure functions of a Lease, of what this process has observed, and of a time that is passed in; they do no
// I/O. [Client] and [Members] are the thin layer that talks to the API server. Two kinds of time must not be confused:
//
//   - The process's own monotonic clock measures how long a record was watched unchanged and for how long a heartbeat is
//     good. Wall clocks of two hosts are never compared for that.
//   - The API server's wall clock (package apiclock) dates what is written down for others: settlements and cooldowns.
//
// How the parts of the protocol fit together, and which shortcuts are unsafe, is told in
// docs/decisions/0005-lease-protocol.md.
//
//	          create                    Settle
//	(none) ───────────► held ─────────────────────► tombstone ──► swept
//	   ▲                 │ ▲                            │
//	   │ Release         │ │ take over: holder gone,    │ after the cooldown
//	   └─────────────────┘ │ observed dead, or scanner  │
//	                       └────────────────────────────┘
package ownership
