//go:build race

package model

// raced is true under the race detector, which slows a search tenfold and has one goroutine to watch.
const raced = true
