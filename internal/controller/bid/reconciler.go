package bid

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/capacity"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// Members tells which replica owns a shard. See ownership.Members.
type Members interface {
	Owns(key string) bool
	Subscribe(changed func())
}

// PostingLog writes to Postings what became of their bids. Both methods cost no request when there is no Posting of the Bid's
// key, or when it says so already.
type PostingLog interface {
	BidActive(ctx context.Context, bid *onebidv1.Bid) error
	BidEnded(ctx context.Context, bid *onebidv1.Bid, record onebidv1.BidRecord) error
}

// Options are what a Reconciler works with; all are required.
type Options struct {
	// Client reads from the cache, which has an index of Bids named IndexMarketplace, and writes.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
	// Leases own postings.
	Leases *ownership.Client
	// Members are the manager's replicas.
	Members Members
	// Connections to marketplaces, by the Marketplace's name.
	Connections *account.Registry
	// Postings are told what became of their bids.
	Postings PostingLog
	// Events are for people.
	Events EventRecorder
	// Clock measures waits and deadlines.
	Clock clock.Clock
	// Wall is the API server's time, for times that hosts compare.
	Wall clock.PassiveClock
	// Jitter returns numbers in [0,1) that spread retries.
	Jitter func() float64
}

// Reconciler reconciles Bids with the marketplaces.
type Reconciler struct {
	*state
	claims  claims
	steps   steps
	commits commits
}

// state is what reconciles of one process share.
type state struct {
	Options
	calls    *inFlight
	polls    *schedule
	reported *reports
	capacity *capacity.Ledger
}

// New makes a Reconciler.
func New(o Options) *Reconciler {
	s := &state{
		Options: o, calls: newInFlight(), polls: newSchedule(), reported: newReports(),
		capacity: capacity.New(o.Live, o.Leases, o.Members, o.Clock),
	}
	return &Reconciler{state: s, claims: claims{s}, steps: steps{s}, commits: commits{s}}
}

// situation is what one reconcile knows from the caches.
type situation struct {
	bid         *onebidv1.Bid
	marketplace *onebidv1.Marketplace // nil when there is none
	posting     *onebidv1.Posting     // nil when there is none
	account     *account.Account      // nil when this process has no connection
	leaseName   string                // "" for a Bid whose key has no legal name
	freshness   bidding.FreshnessVerdict
	priority    bidding.Priority
	reservation *capacity.Reservation // nil without limits
	log         logr.Logger
}

// connectFor is how soon to look again for a connection; a new connection enqueues the Bids anyway.
const connectFor = 10 * time.Second

// placeFor bounds the requests to the API server from the intent to the call.
const placeFor = time.Minute

// Reconcile does the next step for one Bid.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	bid := &onebidv1.Bid{}
	if err := r.Client.Get(ctx, req.NamespacedName, bid); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.NamespacedName)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	r.capacity.Observed(bid)
	s, err := r.gather(ctx, bid)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case !r.responsible(s):
		return reconcile.Result{}, nil
	case s.connecting():
		return reconcile.Result{RequeueAfter: connectFor}, nil
	}
	denial := bidding.Guard(bidding.GuardInput{
		Bid: s.bid, Marketplace: s.marketplace, Connected: s.account != nil, Freshness: s.freshness,
	})
	plan := bidding.Next(r.facts(s, denial), r.Wall.Now())
	after, err := r.carryOut(ctx, s, plan, denial)
	return resultFor(s, r.inTime(s, after), err)
}

// forget drops what is remembered of a Bid that is gone. Its open calls stay: what they placed must still be withdrawn.
func (r *Reconciler) forget(bid types.NamespacedName) {
	r.capacity.Gone(bid)
	r.polls.forget(bid)
	r.reported.forget(bid)
}

// responsible is true when this replica is to act: it holds the posting's Lease, so that no other replica can, or it owns the
// shard. Safety does not depend on it, only the number of useless requests.
func (r *Reconciler) responsible(s *situation) bool {
	switch {
	case r.Leases.HeldOrUnconfirmed(s.bid.Namespace, s.leaseName):
		return true
	case bidding.Limited(s.marketplace):
		return r.Members.Owns(capacity.ShardKey(marketplaceOf(s.bid)))
	}
	return r.Members.Owns(s.bid.Namespace + "/" + s.bid.Name)
}

func (r *Reconciler) gather(ctx context.Context, bid *onebidv1.Bid) (*situation, error) {
	s := &situation{bid: bid, log: log.FromContext(ctx)}
	s.leaseName, _ = bidding.KeyOf(bid).LeaseName() // the first guard denies a key without a legal name
	mkt, posting := &onebidv1.Marketplace{}, &onebidv1.Posting{}
	switch err := r.Client.Get(ctx, marketplaceOf(bid), mkt); {
	case err == nil:
		s.marketplace = mkt
		s.account, _ = r.Connections.Get(marketplaceOf(bid))
	case !apierrors.IsNotFound(err):
		return nil, err
	}
	switch err := r.Client.Get(ctx, client.ObjectKeyFromObject(bid), posting); {
	case err == nil:
		s.posting = posting
	case !apierrors.IsNotFound(err):
		return nil, err
	}
	in := bidding.FreshnessInput{Posting: s.posting, Bid: bid}
	if s.marketplace != nil {
		in.DefaultTTL = time.Duration(s.marketplace.Spec.PostingTTLSeconds) * time.Second
	}
	s.freshness = bidding.Freshness(in, r.Wall.Now())
	s.priority = bidding.PriorityOf(bid, s.posting)
	return s, nil
}

// connecting is true while the Marketplace is Ready and only this process has no connection yet, because it has just started.
// That is over in a moment, and not worth a write for each Bid.
func (s *situation) connecting() bool {
	return s.account == nil && s.marketplace != nil && s.marketplace.DeletionTimestamp.IsZero() &&
		meta.IsStatusConditionTrue(s.marketplace.Status.Conditions, onebidv1.ConditionReady)
}

func (r *Reconciler) facts(s *situation, denial *bidding.Denial) bidding.Facts {
	f := bidding.Facts{
		Bid: bidding.ViewOf(s.bid), Denial: denial, CallOpen: r.calls.open(s.bid.UID),
		Claimed: r.claimOf(s.bid, s.leaseName) != nil,
	}
	if s.marketplace != nil {
		f.Mode, f.Class = s.marketplace.Spec.Mode, s.marketplace.Spec.Class
	}
	if s.account != nil {
		f.PollAt = r.polls.due(s, r.Wall.Now())
	}
	return f
}

// carryOut does what the plan says. The result is when to reconcile again without an event; 0 is never.
func (r *Reconciler) carryOut(
	ctx context.Context, s *situation, plan bidding.Plan, denial *bidding.Denial,
) (time.Duration, error) {
	if bidding.Limited(s.marketplace) {
		defer func() {
			s.reservation.Release()
			r.capacity.HandOver(ctx, marketplaceOf(s.bid))
		}()
		var err error
		if plan, err = r.reserve(ctx, s, plan, denial); err != nil {
			return r.withoutCapacity(ctx, s, err)
		}
	}
	if plan.Action == bidding.ActionPreview {
		plan = bidding.Plan{Action: bidding.ActionReport, Change: r.steps.preview(ctx, s)}
	}
	if s.account != nil && plan.Action.Calls() {
		release, ok := s.account.Acquire()
		if !ok {
			return s.timeout() + r.spread(s.timeout()), nil
		}
		defer release()
	}
	switch plan.Action {
	case bidding.ActionNone:
		return r.until(plan.At), r.commits.acknowledge(ctx, s)
	case bidding.ActionAddFinalizer:
		return 0, r.commits.addFinalizer(ctx, s.bid)
	case bidding.ActionPoll:
		return r.write(ctx, r.cached(s), r.steps.poll(ctx, s))
	case bidding.ActionReport:
		if !r.commits.changes(s.bid, plan.Change) {
			return r.until(s.freshness.Until), nil
		}
	default:
	}
	return r.underLease(ctx, s, plan)
}

// reserve reserves capacity for a Bid that is to be placed. A denial becomes the plan.
func (r *Reconciler) reserve(
	ctx context.Context, s *situation, plan bidding.Plan, denial *bidding.Denial,
) (bidding.Plan, error) {
	switch plan.Action {
	case bidding.ActionPlace, bidding.ActionPreview:
		reservation, denied, err := r.capacity.Reserve(ctx, s.marketplace, s.bid)
		s.reservation = reservation
		if denied != nil {
			plan = bidding.Plan{Action: bidding.ActionReport, Change: bidding.Denied(*denied)}
		}
		return plan, err
	default:
		if denial != nil || bidding.Withdrawing(s.bid) {
			r.capacity.StopWaiting(s.bid)
		}
		return plan, nil
	}
}

// withoutCapacity is for a Bid whose capacity another replica reserves. That one needs the posting's Lease.
func (r *Reconciler) withoutCapacity(ctx context.Context, s *situation, err error) (time.Duration, error) {
	_, held := errors.AsType[*ownership.HeldError](err)
	_, terminating := errors.AsType[*ownership.TerminatingError](err)
	switch {
	case terminating:
		return terminatingRetry, nil // the Bid is about to be deleted too
	case !held:
		return 0, err
	case r.Members.Owns(capacity.ShardKey(marketplaceOf(s.bid))):
		return capacity.RetryDelay + r.spread(capacity.RetryDelay), nil
	case r.claimOf(s.bid, s.leaseName) == nil:
		return 0, nil
	}
	return r.underLease(ctx, s, bidding.Plan{Action: bidding.ActionReleaseClaim})
}

// underLease claims the posting, then decides and acts until a step ends the reconcile.
func (r *Reconciler) underLease(ctx context.Context, s *situation, plan bidding.Plan) (time.Duration, error) {
	if e := r.steps.admit(ctx, s, plan); e != nil {
		return r.write(ctx, r.cached(s), *e)
	}
	if plan.Action == bidding.ActionPlace {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		// A shutdown does not interrupt what follows: an unused intent would have to be resolved, in class None by a person.
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), placeFor)
		defer cancel()
		ctx = detached
	}
	o, e, err := r.claims.claim(ctx, s, plan)
	if err != nil {
		return 0, err
	}
	if e != nil {
		return r.write(ctx, o, *e)
	}
	for {
		e, err := r.step(ctx, o, bidding.Decide(r.steps.facts(o)))
		if err != nil {
			return 0, err
		}
		if after, err := r.write(ctx, o, e); err != nil || !e.decide {
			return after, err
		}
	}
}

// step does one step.
func (r *Reconciler) step(ctx context.Context, o *owned, step bidding.Step) (effect, error) {
	switch step.Kind {
	case bidding.StepFinish:
		return r.steps.finish(ctx, o)
	case bidding.StepClearIntent:
		return effect{clear: []types.UID{o.live.UID}, err: errChanged}, nil
	case bidding.StepForgetCall:
		return effect{forget: true, err: errChanged}, nil
	case bidding.StepReportBlocked:
		return effect{change: blocked(o.situation)}, nil
	case bidding.StepAwaitSettle:
		return effect{after: r.steps.settleWait(o)}, nil
	case bidding.StepLookUp:
		return r.steps.lookUp(ctx, o, step)
	case bidding.StepSend:
		return r.steps.send(ctx, o, step)
	case bidding.StepRecord:
		return r.steps.record(o, step)
	case bidding.StepWithdraw:
		return r.steps.withdraw(ctx, o)
	case bidding.StepWithdrawEarlier:
		return r.steps.withdrawEarlier(ctx, o)
	default: // bidding.StepRestart
		return effect{err: errChanged}, nil
	}
}

// write commits what a step returned. A bid that the step learned of and that the Bid cannot hold is withdrawn.
func (r *Reconciler) write(ctx context.Context, o *owned, e effect) (time.Duration, error) {
	err := r.commits.commit(ctx, o, e)
	switch {
	case e.remote == nil:
	case errors.Is(err, errSecond):
		e = r.steps.withdrawSecond(ctx, o, e.remote.ID)
		err = r.commits.commit(ctx, o, e)
	case errors.Is(err, errGone):
		if e, err = r.steps.withdrawUnaccounted(ctx, o, e.remote.ID); err == nil {
			err = r.commits.commit(ctx, o, e)
		}
	}
	return e.after, err
}

// inTime brings a Bid that waits to be placed back when its posting closes or goes stale.
func (r *Reconciler) inTime(s *situation, after time.Duration) time.Duration {
	if after > 0 && s.priority.Class == bidding.PriorityPlace && s.freshness.Fresh {
		return sooner(after, r.until(s.freshness.Until))
	}
	return after
}

const (
	// changedRetry is how soon to reconcile again when the version acted on was outdated; the watch may bring it sooner.
	changedRetry = 50 * time.Millisecond
	// lapsedRetry is how soon to reconcile again when only this process's own validity was missing. Its return enqueues all
	// Bids too.
	lapsedRetry = time.Second
)

// resultFor turns errors that are no failures into a time to reconcile again.
func resultFor(s *situation, after time.Duration, err error) (reconcile.Result, error) {
	var lapsed *ownership.LapsedError
	switch {
	case errors.Is(err, errGone):
		s.log.V(1).Info("The Bid is gone")
		return reconcile.Result{}, nil
	case errors.Is(err, errChanged), errors.Is(err, ownership.ErrLost), apierrors.IsConflict(err):
		s.log.V(1).Info("Reconciling again: the Bid or its Lease changed", "reason", err.Error())
		after, err = changedRetry, nil
	case errors.As(err, &lapsed):
		s.log.V(1).Info("Not acting while ownership is not certain", "reason", lapsed.Reason)
		after, err = lapsedRetry, nil
	}
	priority := priorityOf(s.priority)
	return reconcile.Result{RequeueAfter: after, Priority: &priority}, err
}
