// Package scanner is for programs that find postings, pay for evaluating them and bid on them, however many of them run
// at once:
//
//	result, err := s.Process(ctx, posting, evaluate)
//
// evaluates a posting that nobody has evaluated or bid on, at most one scanner at a time, and creates its Posting and its
// Bid. ShouldBid, Acquire, Release and WithLock are for those who compose their own.
//
// Two things keep scanners apart, and only one of them has to work. The name of a Bid is fixed by its posting, so the API
// server refuses a second one: that is what makes a bid unique. A lock (package lock) keeps two scanners from paying for
// the same evaluation: that is what makes it cheap, and it may fail.
//
// What each call costs, how to choose a lock and a program to copy are in docs/scanner.md.
package scanner
