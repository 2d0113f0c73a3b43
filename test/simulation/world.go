package simulation

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/testenv/build"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

const (
	namespace = "tenant"
	siteName  = "site"
)

// world is one history.
type world struct {
	*instants
	*trace
	plan        *Plan
	fortune     *fortune
	api         *store
	market      *market
	journal     *journal
	marketplace *onebidv1.Marketplace
	running     sync.WaitGroup

	mu       sync.Mutex
	peaceful bool
	owners   map[string]string // UIDs by idempotency key
	warnings map[string]int    // by reason
	replicas []*replica
	lives    int
}

func newWorld(p *Plan) *world {
	w := &world{
		instants: newInstants(), trace: &trace{begun: time.Now()}, plan: p, fortune: newFortune(p.Seed),
		journal: &journal{}, owners: map[string]string{}, warnings: map[string]int{}, replicas: make([]*replica, p.Replicas),
	}
	w.api, w.market, w.marketplace = newStore(w), newMarket(w), site(p)
	return w
}

// site is the Marketplace object, with short times.
func site(p *Plan) *onebidv1.Marketplace {
	m := build.Marketplace(namespace, siteName, "http://marketplace.invalid")
	m.UID, m.Generation = "site-uid", 1
	late, visible, cool := int32(lateCommit/time.Second), int32(visibility/time.Second), int32(cooldown/time.Second)
	m.Spec.Mode, m.Spec.Class, m.Spec.Orphans = onebidv1.ModeLive, p.Class, p.Orphans
	m.Spec.TimeoutSeconds, m.Spec.LateCommitSeconds, m.Spec.VisibilitySeconds = int32(callTimeout/time.Second), &late, &visible
	m.Spec.RebidCooldownSeconds, m.Spec.AuditIntervalSeconds = &cool, int32(audits/time.Second)
	m.Spec.Retry = onebidv1.RetryPolicy{InitialSeconds: 1, MaxSeconds: 8, ManualReviewAfter: 6}
	m.Spec.Lock = onebidv1.MarketplaceLock{TTLSeconds: 60, AcquireTimeoutSeconds: 10}
	m.Spec.PostingTTLSeconds = 86400
	m.Spec.Preflight, m.Spec.Approval = onebidv1.PreflightWhenNeeded, onebidv1.ApprovalAutomatic
	return m
}

// run starts a goroutine that the history waits for at its end.
func (w *world) run(do func()) { w.running.Go(do) }

// calm is true once nothing goes wrong any more.
func (w *world) calm() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peaceful
}

func (w *world) troubled() bool { return !w.calm() }

// flaky is true for a request to the API server that is to fail.
func (w *world) flaky(l luck) bool { return w.troubled() && l.chance(w.plan.Flaky) }

// later carries something out at the marketplace, whatever becomes of who asked for it.
func (w *world) later(d time.Duration, do func()) {
	w.market.begin()
	w.after(d, func() {
		do()
		w.market.end()
	})
}

func (w *world) nextLife() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lives++
	return w.lives
}

// replica is the present life of a replica.
func (w *world) replica(index int) *replica {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.replicas[index]
}

// owner is the UID of the Bid that the idempotency key is of.
func (w *world) owner(key string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.owners[key]
}

// invalid is true for one bid in thirty: the marketplace will never take it.
func (w *world) invalid(key string) bool {
	return luck{rand.New(rand.NewPCG(w.plan.Seed, hash(key)))}.chance(1.0 / 30)
}

// wanted is true while there is a Bid of that UID which nobody wants withdrawn.
func (w *world) wanted(uid string) bool {
	for _, bid := range w.api.all() {
		if string(bid.UID) == uid {
			return !bidding.Withdrawing(bid) && !bidding.Terminal(bid)
		}
	}
	return false
}

func (w *world) warned(reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.warnings[reason]++
}

// postingID and the name of its Bid.
func postingID(i int) string { return "p" + strconv.Itoa(i) }

func bidName(i int) string { return build.Name(siteName, postingID(i)) }

// play carries the plan out, until everything has come to rest or a promise is broken.
func (w *world) play() {
	for i := range w.replicas {
		w.start(i)
	}
	for _, s := range w.plan.Steps {
		_ = w.sleep(context.Background(), s.After)
		if w.violation() != "" {
			break
		}
		w.do(s)
	}
	if w.violation() == "" {
		w.converge()
	}
	for i := range w.replicas {
		w.replica(i).stop()
	}
	w.running.Wait()
}
