package bid

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
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
	// Postings record what became of their bids.
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

// connectFor is how soon to look again for a connection; a new connection enqueues the Bids anyway.
const connectFor = 10 * time.Second

// placeFor bounds the requests to the API server from the intent to the call.
const placeFor = time.Minute

// Reconcile does the next step for one Bid.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	s, err := r.gather(ctx, req.NamespacedName)
	switch {
	case err != nil || s == nil || !r.responsible(s):
		return reconcile.Result{}, err
	case s.connecting():
		return reconcile.Result{RequeueAfter: connectFor}, nil
	}
	plan := r.plan(s)
	if bidding.Limited(s.marketplace) {
		defer func() {
			s.reservation.Release()
			r.capacity.HandOver(ctx, marketplaceOf(s.bid))
		}()
		if plan, err = r.reserve(ctx, s, plan); err != nil {
			return resultFor(s, 0, err)
		}
	}
	if s.account != nil && plan.Action.Calls() {
		release, ok := s.account.Acquire()
		if !ok {
			return resultFor(s, s.timeout()+r.spread(s.timeout()), nil)
		}
		defer release()
	}
	var after time.Duration
	switch plan.Action {
	case bidding.ActionNone:
		after, err = r.until(plan.At), r.commits.acknowledge(ctx, s)
	case bidding.ActionAddFinalizer:
		err = r.commits.addFinalizer(ctx, s.bid)
	case bidding.ActionPoll:
		after, err = r.write(ctx, r.cached(s), r.steps.poll(ctx, s))
	default:
		after, err = r.advance(ctx, s, plan)
	}
	return resultFor(s, r.inTime(s, after), err)
}

// begin admits the call and claims the posting. Without an owned Bid there is nothing to decide, and the result is final.
func (r *Reconciler) begin(ctx context.Context, s *situation, plan bidding.Plan) (*owned, time.Duration, error) {
	if plan.Action == bidding.ActionPreview {
		plan = bidding.Plan{Action: bidding.ActionReport, Change: r.steps.preview(ctx, s)}
	}
	if plan.Action == bidding.ActionReport && !r.commits.changes(s.bid, plan.Change) {
		return nil, r.until(s.freshness.Until), nil
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	o, e := r.cached(s), r.steps.admit(ctx, s, plan)
	if e == nil {
		var err error
		if o, e, err = r.claims.claim(ctx, s, plan); err != nil || e == nil {
			return o, 0, err
		}
	}
	after, err := r.write(ctx, o, *e)
	return nil, after, err
}

// advance decides and acts under the posting's Lease until a step ends the reconcile.
func (r *Reconciler) advance(ctx context.Context, s *situation, plan bidding.Plan) (time.Duration, error) {
	if plan.Action == bidding.ActionPlace && ctx.Err() == nil {
		// A shutdown does not interrupt what follows: an unused intent would have to be resolved, in class None by a person.
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), placeFor)
		defer cancel()
		ctx = detached
	}
	o, after, err := r.begin(ctx, s, plan)
	if err != nil || o == nil {
		return after, err
	}
	for {
		var e effect
		switch step := bidding.Decide(r.steps.facts(o)); step.Kind {
		case bidding.StepFinish:
			e, err = r.steps.finish(ctx, o)
		case bidding.StepLookUp:
			e = r.steps.lookUp(ctx, o, step)
		case bidding.StepSend:
			e, err = r.steps.send(ctx, o, step)
		case bidding.StepWithdraw:
			e, err = r.steps.withdraw(ctx, o)
		case bidding.StepWithdrawEarlier:
			e, err = r.steps.withdrawEarlier(ctx, o)
		default:
			e = r.steps.note(o, step)
		}
		if err != nil {
			return 0, err
		}
		if after, err = r.write(ctx, o, e); err != nil || !e.decide {
			return after, err
		}
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
