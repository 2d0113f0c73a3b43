//go:build race

package simulation

// raced is true under the race detector, which makes a history ten times as slow.
const raced = true
