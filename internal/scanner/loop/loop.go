package loop

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/utils/clock"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/scanner/feed"
	"github.com/onebid-dev/onebid/pkg/scanner"
)

// Feed is read again and again, by one goroutine.
type Feed interface {
	Read(ctx context.Context) (feed.Reading, error)
}

// Rules decide what an item means.
type Rules interface {
	Posting(ctx context.Context, item feed.Item) (*v1alpha1.Posting, error)
	Decide(ctx context.Context, item feed.Item, posting *v1alpha1.Posting) (scanner.Verdict, error)
}

// Processor bids on a posting, unless there is a reason not to.
type Processor interface {
	Process(ctx context.Context, posting *v1alpha1.Posting, evaluate scanner.Evaluate) (scanner.Result, error)
}

// Options of a Loop. All are needed.
type Options struct {
	Feed      Feed
	Rules     Rules
	Processor Processor
	// Interval between two readings that succeed. Failed ones are repeated with a backoff.
	Interval time.Duration
	// Concurrency is how many postings are processed at once.
	Concurrency int
	// Grace is how long postings that are being processed may take once the context is done.
	Grace   time.Duration
	Metrics *Metrics
	Log     logr.Logger
	Clock   clock.Clock
	// Jitter gives random numbers from 0 to 1.
	Jitter func() float64
}

// Loop reads a feed until its context is done. It is for one goroutine, but for Ready.
type Loop struct {
	Options

	// done are the postings of the feed, by ID, that are not processed again while their item stays as it is.
	done map[string]digest
	// refused are the items of the last reading that the rules refused, so that each is logged once.
	refused  map[digest]bool
	failures int
	readable atomic.Bool
}

// New returns a Loop that has read nothing yet.
func New(o Options) *Loop { return &Loop{Options: o} }

var errUnread = errors.New("the last reading of the feed failed, or there was none yet")

// Ready is nil while the feed can be read. It may be called concurrently.
func (l *Loop) Ready() error {
	if l.readable.Load() {
		return nil
	}
	return errUnread
}

// Run reads the feed at its interval until the context is done; that is no error.
func (l *Loop) Run(ctx context.Context) {
	for ctx.Err() == nil {
		_, err := l.Once(ctx)
		timer := l.Clock.NewTimer(l.wait(err))
		select {
		case <-ctx.Done():
		case <-timer.C():
		}
		timer.Stop()
	}
}

// ErrPostings means that the feed could be read and some of its postings could not be processed.
var ErrPostings = errors.New("some postings could not be processed, see the log")

// Once reads the feed one time and processes its postings. The error is that of the feed, or ErrPostings. complete is
// false when the context ended before all postings were processed.
func (l *Loop) Once(ctx context.Context) (complete bool, err error) {
	reading, err := l.Feed.Read(ctx)
	if ctx.Err() != nil {
		return false, nil //nolint:nilerr // the shutdown, not the feed, ended it
	}
	l.readable.Store(err == nil)
	l.Metrics.read(reading, err)
	if err != nil {
		l.failures++
		l.Log.Error(err, "Could not read the feed; its postings stay as they are")
		return true, err
	}
	l.failures = 0
	l.Log.V(1).Info("Read the feed", "items", len(reading.Items), "unchanged", reading.Unchanged)
	b := l.sort(ctx, reading)
	if ctx.Err() != nil {
		return false, nil //nolint:nilerr // as above
	}
	return l.process(ctx, &b)
}

// process bids on the postings of a batch. When the context ends, those that were begun are finished.
func (l *Loop) process(ctx context.Context, b *batch) (complete bool, err error) {
	working, stop := l.outlive(ctx)
	defer stop()
	var group errgroup.Group
	group.SetLimit(l.Concurrency)
	for i := range b.jobs {
		group.Go(func() error {
			if b.jobs[i].skipped = ctx.Err() != nil; !b.jobs[i].skipped {
				l.bid(working, &b.jobs[i])
			}
			return nil
		})
	}
	_ = group.Wait()
	l.done, l.refused, complete = b.done, b.refused, true
	failed := len(b.refused) > 0
	for _, job := range b.jobs {
		if job.done {
			l.done[job.id()] = job.digest
		}
		failed = failed || job.failed
		complete = complete && !job.skipped
	}
	if failed {
		return complete, ErrPostings
	}
	return complete, nil
}

// outlive returns a context that ends Grace after the given one.
func (l *Loop) outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stopped := context.AfterFunc(ctx, func() {
		timer := l.Clock.NewTimer(l.Grace)
		defer timer.Stop()
		select {
		case <-timer.C():
			cancel()
		case <-working.Done():
		}
	})
	return working, func() {
		stopped()
		cancel()
	}
}

// maxWait bounds the time between two readings of a feed that fails.
const maxWait = 15 * time.Minute

// wait until the next reading: the interval; after failures the interval doubled each time, at most maxWait or the interval
// when that is longer, and at least what the server asks for. Half of a wait after a failure is random, so that many
// scanners do not come back at once.
func (l *Loop) wait(err error) time.Duration {
	if err == nil || l.failures == 0 {
		return l.Interval
	}
	wait := l.Interval
	for range min(l.failures-1, 20) {
		wait = min(2*wait, max(maxWait, l.Interval))
	}
	wait = wait/2 + time.Duration(l.Jitter()*float64(wait/2))
	if retry, ok := errors.AsType[*feed.RetryError](err); ok {
		wait = max(wait, retry.After)
	}
	return wait
}
