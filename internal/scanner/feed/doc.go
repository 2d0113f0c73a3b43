// Package feed reads postings from a file, from standard input or over HTTP, as JSON, JSON lines, RSS or Atom.
//
// A feed is believed whole or not at all: a reply that is cut short, empty, of another type or not well-formed is an error,
// and no item of it is seen by anybody. What the items mean is not known here.
package feed
