// Package httpdriver speaks to any marketplace with an HTTP API, by description: a Marketplace's spec.http says in CEL
// how to build each request and how to read each reply.
//
// New compiles every expression once. A Place or Withdraw is one request on a connection of its own that nothing can
// replay: see sender. What a reply means is decided in one place, see classify, and whatever is not documented as
// success or refusal there is UnknownOutcome.
package httpdriver
