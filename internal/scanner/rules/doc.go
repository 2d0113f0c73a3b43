// Package rules is what the configuration of the reference scanner says: how an item of a feed becomes a Posting, whether
// the Posting is worth a bid, and which bid. Fields are CEL expressions, the proposal is a Go template.
//
// It decides and does nothing: no request is made here.
package rules
