// Package scanner is for programs that find postings, pay for evaluating them and bid on them. Any number may run at once:
//
//	result, err := s.Process(ctx, posting, evaluate)
//
// evaluates a posting that no scanner has evaluated or bid on, one scanner at a time, and creates its Posting and its Bid.
// ShouldBid, Acquire, Release and WithLock are for programs that compose their own.
//
// The name of a Bid is fixed by its posting, so the API server refuses a second one: that makes a bid unique. A lock (package
// lock) keeps two scanners from paying for the same evaluation: that makes it cheap, and may fail.
//
// What each call costs, how to choose a lock and a program to copy are in docs/scanner.md.
package scanner
