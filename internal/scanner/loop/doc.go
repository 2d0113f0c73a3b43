// Package loop is the loop of the reference scanner: it reads a feed, turns each item into a posting, and hands it to a
// Processor, which is pkg/scanner or a dry run.
//
// A reading that fails changes nothing, and no posting is closed because it is missing.
package loop
