package model

// within are the configurations in which every promise holds, the bounds of time being kept; beyond, one send is later
// than all of them.
func within() []config {
	return []config{
		{name: "IdempotencyKey, one Bid", class: idempotencyKey, keys: true, faults: 2, whims: 2, uids: 1},
		{name: "UniquePerPosting, one Bid", class: uniquePerPosting, keys: true, faults: 2, whims: 2, uids: 1},
		{name: "None, one Bid", class: none, faults: 3, whims: 2, uids: 1},
		{name: "IdempotencyKey, stripped", class: idempotencyKey, keys: true, faults: 1, whims: 3, uids: 2, strip: true},
		{name: "UniquePerPosting without keys, stripped", class: uniquePerPosting, faults: 1, whims: 3, uids: 2, strip: true},
		{name: "None, stripped", class: none, faults: 1, whims: 3, uids: 2, strip: true},
		{name: "IdempotencyKey, abandoned", class: idempotencyKey, keys: true, faults: 1, whims: 4, uids: 2, person: true},
		{name: "None, abandoned", class: none, faults: 1, whims: 4, uids: 2, person: true},
		{name: "IdempotencyKey, one Bid, 3 faults", class: idempotencyKey, keys: true, faults: 3, whims: 2, uids: 1},
		{name: "IdempotencyKey, stripped, 2 faults", class: idempotencyKey, keys: true, faults: 2, whims: 3, uids: 2, strip: true},
		{name: "None, abandoned, 2 faults", class: none, faults: 2, whims: 4, uids: 2, person: true},
	}
}

func beyond() []config {
	return []config{
		{name: "IdempotencyKey, one Bid, beyond", class: idempotencyKey, keys: true, faults: 2, whims: 2, uids: 1, beyond: true},
		{name: "UniquePerPosting, beyond", class: uniquePerPosting, keys: true, faults: 2, whims: 3, uids: 2, beyond: true},
		{name: "IdempotencyKey, beyond", class: idempotencyKey, keys: true, faults: 2, whims: 3, uids: 2, beyond: true},
	}
}

// mutant is the protocol with one rule less, in a configuration that shows what the rule is for.
type mutant struct {
	rule string
	in   config
	rules
	// covered is true where the other rules make up for the missing one.
	covered bool
}

func mutants() []mutant {
	one := config{class: idempotencyKey, keys: true, faults: 2, whims: 2, uids: 1}
	unique, stripped, late, long := one, one, one, one
	unique.class, late.beyond, long.faults, long.whims = uniquePerPosting, true, 3, 1
	stripped.faults, stripped.whims, stripped.uids, stripped.strip = 1, 3, 2, true
	abandoned := config{class: none, faults: 1, whims: 4, uids: 2, person: true}
	small := config{class: idempotencyKey, keys: true, faults: 1, whims: 2, uids: 1}
	return []mutant{
		{"intents are a set", stripped, rules{intentsAreOverwritten: true}, false},
		{"a lapse voids tokens", one, rules{lapseKeepsTokens: true}, false},
		{"death is confirmed by a live read", one, rules{deathUnconfirmed: true}, false},
		{"the settle wait is kept, from the take-over", stripped, rules{settleNotWaited: true}, false},
		{"the Bid is read live before a call", one, rules{cacheAuthorises: true}, false},
		{"the key is burned", late, rules{keyNotBurned: true}, false},
		{"fence before resolving", one, rules{noFence: true}, false},
		{"a tombstone is final for its own Bid", stripped, rules{tombstoneOpen: true}, true},
		{"the later attempt of an intent is kept", long, rules{earlierAttemptWins: true}, false},
		{"a learned bid is added to whatever there is", small, rules{learnedNotAdded: true}, true},
		{"a verdict counts only on the version read", unique, rules{verdictOnAnyVersion: true}, false},
		{"who learns of a bid owes it a home", stripped, rules{noHome: true}, false},
		{"the cooldown is judged on the live tombstone", abandoned, rules{noCooldown: true}, false},
		{"a process remembers what it sent", one, rules{flightsForgotten: true}, false},
		{"an intent found on the Lease is an open question", one, rules{priorIgnored: true}, false},
	}
}
