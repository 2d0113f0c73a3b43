package loop

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/scanner/feed"
	"github.com/onebid-dev/onebid/pkg/scanner"
)

var start = time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)

// world is a loop whose surroundings are what the test says.
type world struct {
	*Loop
	clock   *clocktesting.FakeClock
	reading feed.Reading
	err     error
	// read receives a value for each reading.
	read chan struct{}

	mu        sync.Mutex
	outcomes  map[string]scanner.Outcome // by posting; Created when there is none
	failing   map[string]error
	processed []*v1alpha1.Posting
	verdicts  map[string]scanner.Verdict
	during    func(ctx context.Context)
	deciding  func()
}

func newWorld() *world {
	w := &world{
		clock: clocktesting.NewFakeClock(start), read: make(chan struct{}, 100), outcomes: map[string]scanner.Outcome{},
		failing: map[string]error{}, verdicts: map[string]scanner.Verdict{}, during: func(context.Context) {},
		deciding: func() {},
	}
	w.Loop = New(Options{
		Feed: w, Rules: w, Processor: w, Interval: time.Minute, Concurrency: 4, Grace: time.Minute, Metrics: NewMetrics(),
		Log: logr.Discard(), Clock: w.clock, Jitter: rand.Float64,
	})
	return w
}

// has makes the feed hold items with these IDs.
func (w *world) has(ids ...string) {
	w.reading = feed.Reading{At: start}
	for _, id := range ids {
		w.reading.Items = append(w.reading.Items, feed.Item{"id": id})
	}
}

func (w *world) Read(context.Context) (feed.Reading, error) {
	w.read <- struct{}{}
	return w.reading, w.err
}

func (w *world) Posting(_ context.Context, item feed.Item) (*v1alpha1.Posting, error) {
	id, ok := item["id"].(string)
	if !ok {
		return nil, errors.New("no id")
	}
	title, _ := item["title"].(string)
	return &v1alpha1.Posting{Spec: v1alpha1.PostingSpec{PostingID: id, Title: title}}, nil
}

func (w *world) Decide(_ context.Context, item feed.Item, _ *v1alpha1.Posting) (scanner.Verdict, error) {
	w.deciding()
	if item["price"] == "odd" {
		return scanner.Verdict{}, errors.New("an odd price")
	}
	return scanner.Verdict{Suitable: true, Reason: "for " + item["id"].(string)}, nil
}

func (w *world) Process(ctx context.Context, p *v1alpha1.Posting, evaluate scanner.Evaluate) (scanner.Result, error) {
	w.during(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processed = append(w.processed, p)
	id := p.Spec.PostingID
	if err := w.failing[id]; err != nil {
		return scanner.Result{}, err
	}
	verdict, err := evaluate(ctx, p)
	w.verdicts[id] = verdict
	outcome, ok := w.outcomes[id]
	if !ok {
		outcome = scanner.Created
	}
	return scanner.Result{Outcome: outcome}, err
}

// took returns the postings that were processed since it was last called.
func (w *world) took() []string {
	var ids []string
	for _, p := range w.processed {
		ids = append(ids, p.Spec.PostingID)
	}
	w.processed = nil
	slices.Sort(ids)
	return ids
}

func TestPostingsThatAreDoneAreProcessedAgainWhenTheyChange(t *testing.T) {
	g, w := NewWithT(t), newWorld()
	w.outcomes = map[string]scanner.Outcome{
		"created": scanner.Created, "duplicate": scanner.Duplicate, "unsuitable": scanner.NotSuitable, "closed": scanner.Closed,
		"stale": scanner.Stale, "withdrawn": scanner.Ended,
		"cooling": scanner.CoolingDown, "locked": scanner.LockTimeout, "paused": scanner.Paused,
	}
	w.failing["failing"] = errors.New("no API server")
	all := slices.Sorted(maps.Keys(w.outcomes))
	w.has(append(all, "failing")...)
	_, err := w.Once(t.Context())
	g.Expect(err).To(MatchError(ErrPostings))
	g.Expect(w.took()).To(HaveLen(10))
	g.Expect(w.verdicts["created"]).To(Equal(scanner.Verdict{Suitable: true, Reason: "for created"}))

	delete(w.failing, "failing")
	_, err = w.Once(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(w.took()).To(Equal([]string{"cooling", "failing", "locked", "paused", "stale", "withdrawn"}), "these may be otherwise by now")

	w.reading.Items[slices.Index(all, "created")]["title"] = "another one"
	_, err = w.Once(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(w.took()).To(Equal([]string{"cooling", "created", "locked", "paused", "stale", "withdrawn"}))

	w.reading.Items[slices.Index(all, "created")]["applicants"] = 17
	_, err = w.Once(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(w.took()).To(Equal([]string{"cooling", "locked", "paused", "stale", "withdrawn"}), "the rules do not look at that")

	w.has()
	_, err = w.Once(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(w.took()).To(BeEmpty(), "a posting that is missing is not closed")
	w.has("duplicate")
	_, err = w.Once(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(w.took()).To(Equal([]string{"duplicate"}), "what was gone is new")
}

func TestItemsThatTheRulesRefuseCostNothing(t *testing.T) {
	g, w := NewWithT(t), newWorld()
	w.reading = feed.Reading{At: start, Items: []feed.Item{
		{"title": "no id"}, {"id": "a", "price": "odd"}, {"id": "b"}, {"id": "b", "title": "again"},
	}}
	complete, err := w.Once(t.Context())
	g.Expect(err).To(MatchError(ErrPostings))
	g.Expect(complete).To(BeTrue())
	g.Expect(w.processed).To(HaveLen(1))
	g.Expect(w.processed[0].Spec.CachedAt.Time).To(BeTemporally("==", start), "when it was asked for, not when it was processed")
	g.Expect(w.took()).To(Equal([]string{"b"}))
	g.Expect(testutil.ToFloat64(w.Metrics.postings.WithLabelValues(outcomeInvalid))).To(BeEquivalentTo(2))
}

// What the rules refuse is logged when it comes and when it changes, and counted at each reading.
func TestAnItemThatTheRulesRefuseIsLoggedOnce(t *testing.T) {
	g, w := NewWithT(t), newWorld()
	var logged []string
	w.Log = funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{})
	read := func(items ...feed.Item) []string {
		logged = nil
		w.reading.Items = items
		_, err := w.Once(t.Context())
		g.Expect(err).To(MatchError(ErrPostings))
		return logged
	}
	odd := feed.Item{"id": "a", "price": "odd"}
	g.Expect(read(odd, feed.Item{"title": "no id"})).To(ConsistOf(
		And(ContainSubstring(`"posting"="a"`), ContainSubstring("an odd price")),
		And(ContainSubstring(`"item"=2`), ContainSubstring("no id"))))
	g.Expect(read(odd, feed.Item{"title": "no id"})).To(BeEmpty())
	g.Expect(read(feed.Item{"title": "no id either"}, odd)).To(HaveLen(1))
	g.Expect(read(odd, odd)).To(BeEmpty())
	g.Expect(read(feed.Item{"title": "no id"})).To(HaveLen(1), "it was away")
	g.Expect(testutil.ToFloat64(w.Metrics.postings.WithLabelValues(outcomeInvalid))).To(BeEquivalentTo(8))
}

func TestAFailedReadingChangesNothing(t *testing.T) {
	g, w := NewWithT(t), newWorld()
	g.Expect(w.Ready()).To(HaveOccurred(), "nothing was read yet")
	w.has("a")
	_, err := w.Once(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(w.Ready()).To(Succeed())
	w.took()

	w.err = errors.New("502")
	_, err = w.Once(t.Context())
	g.Expect(err).To(MatchError("502"))
	g.Expect(w.Ready()).To(HaveOccurred())
	g.Expect(w.took()).To(BeEmpty())
	g.Expect(testutil.ToFloat64(w.Metrics.items)).To(BeEquivalentTo(1), "what the feed held when it could be read")

	w.err = nil
	_, err = w.Once(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(w.took()).To(BeEmpty(), "a failure is no reason to process postings again that are done")
	g.Expect(w.Ready()).To(Succeed())
	g.Expect(testutil.ToFloat64(w.Metrics.readings.WithLabelValues(resultFailed))).To(BeEquivalentTo(1))
}

func TestWaiting(t *testing.T) {
	g, w := NewWithT(t), newWorld()
	wrong := errors.New("502")
	g.Expect(w.wait(nil)).To(Equal(time.Minute))
	w.failures = 0
	g.Expect(w.wait(ErrPostings)).To(Equal(time.Minute), "the feed is not to blame")
	for failures, longest := range map[int]time.Duration{
		1: time.Minute, 2: 2 * time.Minute, 4: 8 * time.Minute, 5: 15 * time.Minute, 99: 15 * time.Minute,
	} {
		w.failures = failures
		for range 50 {
			g.Expect(w.wait(wrong)).To(And(BeNumerically(">=", longest/2), BeNumerically("<=", longest)))
		}
	}
	w.failures = 1
	g.Expect(w.wait(&feed.RetryError{After: time.Hour, Err: wrong})).To(Equal(time.Hour))
	w.Interval = 2 * time.Hour
	g.Expect(w.wait(wrong)).To(BeNumerically(">=", time.Hour), "failures are never a reason to ask more often than configured")
}

func TestTheLoopReadsAtItsInterval(t *testing.T) {
	g, w := NewWithT(t), newWorld()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	for range 3 {
		g.Eventually(w.read).Should(Receive())
		g.Eventually(w.clock.HasWaiters).Should(BeTrue())
		g.Expect(w.read).NotTo(Receive())
		w.clock.Step(time.Minute)
	}
	cancel()
	g.Eventually(done).Should(BeClosed())
}

// Otherwise each item would be logged as invalid, or cost up to the bounds of an evaluation.
func TestNoRuleIsAppliedAfterTheEnd(t *testing.T) {
	g, w := NewWithT(t), newWorld()
	w.has("a", "b")
	w.reading.Items = append(w.reading.Items, feed.Item{"title": "no id"})
	ctx, cancel := context.WithCancel(t.Context())
	w.deciding = cancel
	complete, err := w.Once(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(complete).To(BeFalse())
	g.Expect(w.took()).To(BeEmpty())
	g.Expect(testutil.ToFloat64(w.Metrics.postings.WithLabelValues(outcomeInvalid))).To(BeZero())
}

// At shutdown what has begun is finished, and nothing else begins.
func TestShutdownFinishesWhatHasBegun(t *testing.T) {
	g, w := NewWithT(t), newWorld()
	w.Concurrency = 1
	w.has("a", "b", "c")
	ctx, cancel := context.WithCancel(t.Context())
	w.during = func(working context.Context) {
		cancel()
		g.Expect(working.Err()).NotTo(HaveOccurred())
	}
	complete, err := w.Once(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(complete).To(BeFalse())
	g.Expect(w.took()).To(Equal([]string{"a"}))
}

func TestShutdownDoesNotWaitForEver(t *testing.T) {
	g, w := NewWithT(t), newWorld()
	w.has("a")
	ctx, cancel := context.WithCancel(t.Context())
	w.during = func(working context.Context) {
		cancel()
		<-working.Done()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = w.Once(ctx)
	}()
	g.Eventually(w.clock.HasWaiters).Should(BeTrue())
	w.clock.Step(time.Minute - time.Nanosecond)
	g.Expect(done).NotTo(BeClosed())
	w.clock.Step(time.Nanosecond)
	g.Eventually(done).Should(BeClosed())
}

func TestADryRunWritesAndSendsNothing(t *testing.T) {
	g := NewWithT(t)
	var out strings.Builder
	d := NewDryRun("rest", &out)
	posting := &v1alpha1.Posting{Spec: v1alpha1.PostingSpec{PostingID: "A&B"}}
	verdict := scanner.Verdict{Suitable: true, Reason: "good", Bid: v1alpha1.BidSpec{Price: v1alpha1.Money{Amount: "5", Currency: "EUR"}}}
	evaluate := func(context.Context, *v1alpha1.Posting) (scanner.Verdict, error) { return verdict, nil }
	result, err := d.Process(t.Context(), posting, evaluate)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(result.Outcome).To(Equal(scanner.Open), "it was not created")
	g.Expect(out.String()).To(MatchJSON(`{"name":"rest.x.412642","suitable":true,"reason":"good",
		"posting":{"marketplace":"rest","postingID":"A&B"},
		"bid":{"marketplace":"rest","postingID":"A&B","price":{"amount":"5","currency":"EUR"}}}`))
	g.Expect(posting.Spec.Marketplace).To(BeEmpty(), "the posting is the caller's")

	out.Reset()
	verdict = scanner.Verdict{Reason: "bad"}
	result, err = d.Process(t.Context(), posting, evaluate)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(result.Outcome).To(Equal(scanner.NotSuitable))
	g.Expect(out.String()).NotTo(ContainSubstring("bid\""))
	_, err = d.Process(t.Context(), &v1alpha1.Posting{}, evaluate)
	g.Expect(err).To(MatchError(ContainSubstring("postingID")))
}
