package main

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/onebid-dev/onebid/api/v1alpha1"
)

// note is what was seen of one posting's Bid, through the eyes of a client of the API server.
type note struct {
	// Acks counts acknowledged creations; AckedAt is the first one's time.
	Acks    int
	AckedAt moment
	// Seen says that the Bid was there at some time, Gone that it is not any more.
	Seen, Gone bool
	// Placed says that the condition Placed is True, and PlacedAt since when.
	Placed   bool
	PlacedAt moment
	// Withdrawn says that the condition Withdrawn is True.
	Withdrawn bool
	// State, Reason and Message explain a Bid that is not where it should be; Stalled is the reason of that condition.
	State, Reason, Message string
	Stalled                string
}

// tracker keeps the notes. It is safe for concurrent use.
type tracker struct {
	mu    sync.Mutex
	notes map[string]*note
}

func newTracker(postings []string) *tracker {
	t := &tracker{notes: make(map[string]*note, len(postings))}
	for _, id := range postings {
		t.notes[id] = &note{}
	}
	return t
}

// of returns the note of a posting; unexpected ones get one too, so that they are noticed.
func (t *tracker) of(postingID string) *note {
	n := t.notes[postingID]
	if n == nil {
		n = &note{}
		t.notes[postingID] = n
	}
	return n
}

// created notes that the API server acknowledged a Bid to a scanner.
func (t *tracker) created(postingID string, at moment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.of(postingID)
	n.Acks++
	if n.Acks == 1 {
		n.AckedAt = at
	}
}

// saw notes what the watch shows.
func (t *tracker) saw(bid *v1alpha1.Bid, at moment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.of(bid.Spec.PostingID)
	n.Seen, n.Gone = true, false
	if !n.Placed && meta.IsStatusConditionTrue(bid.Status.Conditions, v1alpha1.ConditionPlaced) {
		n.Placed, n.PlacedAt = true, at
	}
	n.Withdrawn = meta.IsStatusConditionTrue(bid.Status.Conditions, v1alpha1.ConditionWithdrawn)
	n.State, n.Reason, n.Message, n.Stalled = string(bid.Status.State), "", "", ""
	if ready := meta.FindStatusCondition(bid.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		n.Reason, n.Message = ready.Reason, ready.Message
	}
	if stalled := meta.FindStatusCondition(bid.Status.Conditions, v1alpha1.ConditionStalled); stalled != nil {
		n.Stalled = stalled.Reason
	}
}

// lost notes that the Bid is gone.
func (t *tracker) lost(bid *v1alpha1.Bid) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of(bid.Spec.PostingID).Gone = true
}

// snapshot returns a copy of the notes.
func (t *tracker) snapshot() map[string]note {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]note, len(t.notes))
	for id, n := range t.notes {
		out[id] = *n
	}
	return out
}

// placed reports whether the posting's bid was put on the marketplace.
func (t *tracker) placed(postingID string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of(postingID).Placed
}

// tally is a summary of the notes for the screen.
type tally struct{ created, active, withdrawn int }

func (t *tracker) tally() (sum tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.notes {
		switch {
		case n.Gone || n.Withdrawn:
			sum.withdrawn++
		case n.Placed:
			sum.active++
		}
		if n.Seen {
			sum.created++
		}
	}
	return sum
}

// durations returns, shortest first, how long the Bids took from the acknowledged creation to being placed: of all
// of them, or of those that were placed before the given moment.
func durations(notes map[string]note, before moment) []time.Duration {
	var out []time.Duration
	for _, n := range notes {
		if n.Acks > 0 && n.Placed && (before == 0 || n.PlacedAt < before) {
			// The watch may be quicker than the reply to the creation.
			out = append(out, max(n.PlacedAt.since(n.AckedAt), 0))
		}
	}
	slices.Sort(out)
	return out
}

// percentile of sorted durations, by the nearest rank; zero when there are none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (p*len(sorted) + 99) / 100
	return sorted[max(rank, 1)-1]
}
