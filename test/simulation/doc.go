// Package simulation runs the real controllers, heartbeats and audits of several replicas in virtual time, against an API
// server and a marketplace in memory, and checks onebid's promises at every instant.
//
// A history is a function of its seed. What happens is drawn from the seed and from the requests, never from the
// order in which goroutines happen to run; and no two things happen at the same instant, so the scheduler has no choice
// to make. A history that breaks a promise prints its seed and its events, and the seed alone brings it back:
//
//	go test ./test/simulation -run TestHistories -args -seed 42
//
// What is real: everything under internal/controller/bid, internal/controller/audit, internal/ownership,
// internal/bidding and internal/marketplace/account. What stands in: the API server ([store]), the caches and the work
// queue ([feed], [queue]), the marketplace ([market]) and the users.
package simulation
