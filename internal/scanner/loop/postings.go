package loop

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/scanner/feed"
	"github.com/onebid-dev/onebid/pkg/scanner"
)

// digest of what an item comes to tells whether it has changed in a way that matters: many feeds count readers or applicants.
type digest [sha256.Size]byte

// job is one posting to be processed.
type job struct {
	posting *v1alpha1.Posting
	verdict scanner.Verdict
	digest  digest
	// settled, failed and skipped are the outcome.
	settled, failed, skipped bool
}

func (j *job) id() string { return j.posting.Spec.PostingID }

// batch is what one reading holds.
type batch struct {
	jobs []job
	// settled are the postings that were settled before and have not changed.
	settled map[string]digest
	// refused are the items that could not be understood, each version of one.
	refused map[digest]bool
	// wrong is true when an item could not be understood.
	wrong bool
}

// sort decides on each item. That needs nobody's help and costs nothing, so it is done before a lock is acquired: an item
// that the rules cannot deal with causes no request at all, however often it is read. An evaluation that costs money
// belongs into the function that Process is given.
func (l *Loop) sort(ctx context.Context, reading feed.Reading) batch {
	b := batch{settled: map[string]digest{}, refused: map[digest]bool{}}
	known := map[string]bool{}
	for i, item := range reading.Items {
		posting, err := l.Rules.Posting(ctx, item)
		if err != nil {
			l.invalid(&b, item, err, "item", i+1)
			continue
		}
		id := posting.Spec.PostingID
		if known[id] {
			l.Log.V(1).Info("The feed holds a posting twice; the first one counts", "posting", id)
			continue
		}
		known[id] = true
		verdict, err := l.Rules.Decide(ctx, item, posting)
		if err != nil {
			l.invalid(&b, item, err, "posting", id)
			continue
		}
		sum := sumOf(posting.Spec, verdict)
		if before, ok := l.settled[id]; ok && before == sum {
			b.settled[id] = sum
			continue
		}
		posting.Spec.CachedAt = cachedAt(reading.At)
		b.jobs = append(b.jobs, job{posting: posting, verdict: verdict, digest: sum})
	}
	return b
}

// invalid counts an item that the rules cannot deal with. It is logged when it is new or has changed, not at each reading.
func (l *Loop) invalid(b *batch, item feed.Item, err error, what string, which any) {
	b.wrong = true
	l.Metrics.postings.WithLabelValues(outcomeInvalid).Inc()
	sum := sumOf(item)
	b.refused[sum] = true
	if !l.refused[sum] {
		l.Log.Error(err, "Could not deal with an item of the feed", what, which)
	}
}

func sumOf(parts ...any) digest {
	text, err := json.Marshal(parts)
	if err != nil {
		return digest{} // texts, numbers, lists and maps can always be written
	}
	return sha256.Sum256(text)
}

// process bids on one posting. It returns whether the posting needs no further look.
func (l *Loop) process(ctx context.Context, j *job) (settled bool) {
	log := l.Log.WithValues("posting", j.id())
	result, err := l.Processor.Process(ctx, j.posting, func(context.Context, *v1alpha1.Posting) (scanner.Verdict, error) {
		return j.verdict, nil
	})
	if err != nil {
		j.failed = true
		l.Metrics.postings.WithLabelValues(outcomeFailed).Inc()
		if !errors.Is(err, context.Canceled) {
			log.Error(err, "Could not process a posting; it is tried again with the next reading")
		}
		return false
	}
	l.Metrics.postings.WithLabelValues(string(result.Outcome)).Inc()
	log = log.WithValues("outcome", result.Outcome, "reason", result.Reason)
	if result.Outcome == scanner.Created {
		log.Info("Created a Bid", "amount", j.verdict.Bid.Price.Amount, "currency", j.verdict.Bid.Price.Currency)
	} else {
		log.V(1).Info("Left a posting alone")
	}
	return settles(result.Outcome)
}

// settles is false for what may be otherwise at the next reading although the item has not changed: somebody may have deleted
// the Posting of a bid that ended, to have it bid on again.
func settles(outcome scanner.Outcome) bool {
	switch outcome {
	case scanner.Created, scanner.Duplicate, scanner.NotSuitable, scanner.Closed:
		return true
	case scanner.Open: // a dry run has told it
		return true
	default:
		return false
	}
}
