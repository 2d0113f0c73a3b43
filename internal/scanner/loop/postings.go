package loop

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/scanner/feed"
	"github.com/onebid-dev/onebid/pkg/scanner"
)

// digest of what the rules make of an item. Fields that the rules do not read, such as a count of readers, do not change it.
type digest [sha256.Size]byte

// job is one posting to process.
type job struct {
	posting *v1alpha1.Posting
	verdict scanner.Verdict
	digest  digest
	// done, failed and skipped are the outcome.
	done, failed, skipped bool
}

func (j *job) id() string { return j.posting.Spec.PostingID }

// batch is what one reading holds.
type batch struct {
	jobs []job
	// done are the postings that were done before and have not changed.
	done map[string]digest
	// refused are the items that the rules refused.
	refused map[digest]bool
}

// sort applies the rules to each item, before a lock is acquired: an item that they refuse causes no request, however often
// it is read. An evaluation that costs money belongs into the function that Process is given.
func (l *Loop) sort(ctx context.Context, reading feed.Reading) batch {
	b := batch{done: map[string]digest{}, refused: map[digest]bool{}}
	known := map[string]bool{}
	for i, item := range reading.Items {
		if ctx.Err() != nil {
			return b
		}
		posting, err := l.Rules.Posting(ctx, item)
		if err != nil {
			l.refuse(&b, item, err, "item", i+1)
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
			l.refuse(&b, item, err, "posting", id)
			continue
		}
		sum := digestOf(posting.Spec, verdict)
		if before, ok := l.done[id]; ok && before == sum {
			b.done[id] = sum
			continue
		}
		posting.Spec.CachedAt = &metav1.Time{Time: reading.At}
		b.jobs = append(b.jobs, job{posting: posting, verdict: verdict, digest: sum})
	}
	return b
}

// refuse counts an item that the rules refuse. It is logged when it is new or has changed, not at each reading.
func (l *Loop) refuse(b *batch, item feed.Item, err error, what string, which any) {
	l.Metrics.postings.WithLabelValues(outcomeInvalid).Inc()
	sum := digestOf(item)
	b.refused[sum] = true
	if !l.refused[sum] {
		l.Log.Error(err, "Could not apply the rules to an item of the feed", what, which)
	}
}

func digestOf(parts ...any) digest {
	text, err := json.Marshal(parts)
	if err != nil {
		return digest{} // strings, numbers, lists and maps can always be written
	}
	return sha256.Sum256(text)
}

// bid processes one posting.
func (l *Loop) bid(ctx context.Context, j *job) {
	log := l.Log.WithValues("posting", j.id())
	result, err := l.Processor.Process(ctx, j.posting, func(context.Context, *v1alpha1.Posting) (scanner.Verdict, error) {
		return j.verdict, nil
	})
	if err != nil {
		j.failed = true
		l.Metrics.postings.WithLabelValues(outcomeFailed).Inc()
		if !errors.Is(err, context.Canceled) {
			log.Error(err, "Could not process a posting; the next reading tries again")
		}
		return
	}
	l.Metrics.postings.WithLabelValues(string(result.Outcome)).Inc()
	log = log.WithValues("outcome", result.Outcome, "reason", result.Reason)
	if result.Outcome == scanner.Created {
		log.Info("Created a Bid", "amount", j.verdict.Bid.Price.Amount, "currency", j.verdict.Bid.Price.Currency)
	} else {
		log.V(1).Info("Created no Bid")
	}
	j.done = final(result.Outcome)
}

// final is false for an outcome that may change although the item does not: when its Posting is deleted, for example, a
// posting whose bid ended is bid on again.
func final(outcome scanner.Outcome) bool {
	switch outcome {
	case scanner.Created, scanner.Duplicate, scanner.NotSuitable, scanner.Closed, scanner.Open: // Open is a dry run's
		return true
	default:
		return false
	}
}
