// Package bid reconciles Bids: it places each one at most once, finds out what became of calls whose outcome is unknown,
// and withdraws what is to be withdrawn.
//
// A Reconcile gathers facts from caches, lets internal/bidding pick one step, carries it out and writes the status at
// most once. Caches never authorise a call to a marketplace: between the claim of the posting's Lease and the call the
// Bid is read live.
package bid

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// Members tells which replica acts on a key. See ownership.Members.
type Members interface {
	Owns(key string) bool
	Subscribe(changed func())
}

// PostingLog keeps what Postings say about their bids. Both methods cost no API request when there is no Posting of the
// Bid's key, or when it says so already.
type PostingLog interface {
	BidActive(ctx context.Context, bid *onebidv1.Bid) error
	BidEnded(ctx context.Context, bid *onebidv1.Bid, record onebidv1.BidRecord) error
}

// Options are what a Reconciler works with; all are required.
type Options struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
	// Leases own postings.
	Leases *ownership.Client
	// Members of the fleet of replicas.
	Members Members
	// Connections to marketplaces, by the Marketplace's name.
	Connections *account.Registry
	// Postings' status.
	Postings PostingLog
	// Events go to people.
	Events EventRecorder
	// Clock for waits and deadlines.
	Clock clock.Clock
	// Wall is the API server's idea of the time, for what is compared between hosts.
	Wall clock.PassiveClock
	// Jitter gives numbers in [0,1) that spread retries.
	Jitter func() float64
}

// Reconciler brings Bids and what is live at the marketplaces together.
type Reconciler struct {
	Options
	flights *flights
	rooms   *rooms
	polls   *schedule
	told    *told
}

// New makes a Reconciler.
func New(o Options) *Reconciler {
	return &Reconciler{Options: o, flights: newFlights(), rooms: newRooms(), polls: newSchedule(), told: newTold()}
}

// situation is all that one Reconcile knows.
type situation struct {
	bid         *onebidv1.Bid
	marketplace *onebidv1.Marketplace
	posting     *onebidv1.Posting
	conn        *account.Account
	// leaseName is "" for a Bid whose key has no legal name.
	leaseName string
	freshness bidding.FreshnessVerdict
	// room is what let the Bid through the limits on all Bids of its Marketplace; nil where nothing had to.
	room *ownership.Claim
	// took is true when the Bid did not count within them before, sent once a call may have been made for it, cleared when
	// its status was recorded and says that nothing is live.
	took, sent, cleared bool
	log                 logr.Logger
}

// Reconcile does the next step for one Bid.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	bid := &onebidv1.Bid{}
	if err := r.Client.Get(ctx, req.NamespacedName, bid); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	s, err := r.gather(ctx, bid)
	if err != nil {
		return reconcile.Result{}, err
	}
	if !r.responsible(s) {
		return reconcile.Result{}, nil
	}
	defer r.leave(ctx, s)
	if s.connecting() {
		return reconcile.Result{RequeueAfter: connectFor}, nil
	}
	hold, err := r.guard(ctx, s)
	if err != nil {
		return r.notGuarded(ctx, s, err)
	}
	step := bidding.Next(r.facts(s, hold), r.Wall.Now())
	if s.conn != nil && calls(step.Action) {
		release, ok := s.conn.Acquire()
		if !ok {
			return reconcile.Result{RequeueAfter: s.timeout() + time.Duration(r.Jitter()*float64(s.timeout()))}, nil
		}
		defer release()
	}
	result, err := r.act(ctx, s, step)
	result, err = settleErrors(s, result, err)
	return r.inTime(s, result), err
}

// responsible is true when this replica is to act: it holds the posting's Lease or may hold it, for this Bid or for an
// earlier one, so that nobody else can, or it is the one that the members agree on. Safety does not rest on it, only the number of
// useless requests.
func (r *Reconciler) responsible(s *situation) bool {
	if r.Leases.HeldOrUnconfirmed(s.bid.Namespace, s.leaseName) {
		return true
	}
	if bidding.Bounded(s.marketplace) {
		return r.Members.Owns(roomKey(marketplaceOf(s.bid)))
	}
	return r.Members.Owns(s.bid.Namespace + "/" + s.bid.Name)
}

func (r *Reconciler) claimed(s *situation) bool {
	claim, held := r.Leases.Held(s.bid.Namespace, s.leaseName)
	return held && claim.BidUID == s.bid.UID
}

func (r *Reconciler) gather(ctx context.Context, bid *onebidv1.Bid) (*situation, error) {
	s := &situation{bid: bid, log: log.FromContext(ctx)}
	s.leaseName, _ = bidding.KeyOf(bid).LeaseName() // a key without a legal name is the first guard's matter
	mkt := &onebidv1.Marketplace{}
	mktName := types.NamespacedName{Namespace: bid.Namespace, Name: bid.Spec.Marketplace}
	switch err := r.Client.Get(ctx, mktName, mkt); {
	case err == nil:
		s.marketplace = mkt
	case !apierrors.IsNotFound(err):
		return nil, err
	}
	if conn, ok := r.Connections.Get(mktName); ok && s.marketplace != nil {
		s.conn = conn
	}
	posting := &onebidv1.Posting{}
	switch err := r.Client.Get(ctx, client.ObjectKeyFromObject(bid), posting); {
	case err == nil:
		s.posting = posting
	case !apierrors.IsNotFound(err):
		return nil, err
	}
	s.freshness = r.freshness(s)
	return s, nil
}

// connectFor is after how long to look again for a connection, which brings the Bids itself when it is there.
const connectFor = 10 * time.Second

// connecting is true while the Marketplace is Ready, and only this process has no connection to it yet: one that has just
// begun, mostly. That is over in a moment, and not worth a write for each of its Bids.
func (s *situation) connecting() bool {
	return s.conn == nil && s.marketplace != nil && s.marketplace.DeletionTimestamp.IsZero() &&
		meta.IsStatusConditionTrue(s.marketplace.Status.Conditions, onebidv1.ConditionReady)
}

func (r *Reconciler) facts(s *situation, hold *bidding.Hold) bidding.Facts {
	f := bidding.Facts{Bid: s.bid, Hold: hold, Claimed: r.claimed(s)}
	if s.marketplace != nil {
		f.Mode, f.Class = s.marketplace.Spec.Mode, s.marketplace.Spec.Class
	}
	if s.conn != nil {
		f.PollAt = r.polls.due(s, r.Wall.Now())
	}
	return f
}

// calls is true for what begins with a call to the marketplace.
func calls(a bidding.Action) bool {
	switch a {
	case bidding.ActionPlace, bidding.ActionResolve, bidding.ActionAnswer, bidding.ActionWithdraw, bidding.ActionPoll:
		return true
	default:
		return false
	}
}

func (r *Reconciler) act(ctx context.Context, s *situation, step bidding.Step) (reconcile.Result, error) {
	switch step.Action {
	case bidding.ActionAddFinalizer:
		return reconcile.Result{}, r.addFinalizer(ctx, s)
	case bidding.ActionReport:
		return r.report(ctx, s, step.Change)
	case bidding.ActionPreview:
		return r.preview(ctx, s)
	case bidding.ActionPlace:
		return r.place(ctx, s)
	case bidding.ActionResolve:
		return r.resolve(ctx, s)
	case bidding.ActionAnswer:
		return r.answer(ctx, s)
	case bidding.ActionWithdraw:
		return r.withdraw(ctx, s)
	case bidding.ActionCancel:
		return r.cancel(ctx, s, step.Change)
	case bidding.ActionSettle:
		return r.tidy(ctx, s)
	case bidding.ActionFinalize:
		return r.finalize(ctx, s)
	case bidding.ActionAbandon:
		return r.abandon(ctx, s)
	case bidding.ActionPoll:
		return r.poll(ctx, s)
	default:
		return r.rest(ctx, s, step)
	}
}

// report writes why a Bid waits, and comes back when that may change by itself. What came in the way after a call may
// have been sent does not hide that call.
func (r *Reconciler) report(ctx context.Context, s *situation, change bidding.Change) (reconcile.Result, error) {
	again := reconcile.Result{RequeueAfter: r.until(s.freshness.Until)}
	if !r.changes(s.bid, change) {
		return again, nil
	}
	o, result, err := r.unsent(ctx, s)
	if o == nil || err != nil {
		return result, err
	}
	return again, r.record(ctx, s, o.live, change)
}

// changes is true when a change would alter the status.
func (r *Reconciler) changes(bid *onebidv1.Bid, change bidding.Change) bool {
	changed := bid.DeepCopy()
	change.Apply(changed, r.Wall.Now())
	return !equality.Semantic.DeepEqual(bid.Status, changed.Status)
}

// rest makes sure that the Posting knows how a settled Bid ended, and waits. That a Bid is live the Posting's own
// controller makes up for.
func (r *Reconciler) rest(ctx context.Context, s *situation, step bidding.Step) (reconcile.Result, error) {
	var err error
	if s.posting != nil && bidding.Terminal(s.bid) && !r.told.has(s.bid.UID, s.bid.Status.Outcome) {
		err = r.ended(ctx, s.bid, s.bid.Status.Outcome)
	}
	if err == nil && bidding.Requested(s.bid) != s.bid.Status.LastHandledReconcileAt {
		err = r.record(ctx, s, s.bid, bidding.Seen())
	}
	return reconcile.Result{RequeueAfter: r.until(step.At)}, err
}

// until is how long to wait for a time, at least a moment; 0, which is for ever, when there is no time.
func (r *Reconciler) until(at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return max(at.Sub(r.Wall.Now()), time.Millisecond)
}

// settleErrors turns what is no failure into a time to come back.
func settleErrors(s *situation, result reconcile.Result, err error) (reconcile.Result, error) {
	var lapsed *ownership.LapsedError
	switch {
	case errors.Is(err, errGone):
		s.log.V(1).Info("The Bid is gone")
		return reconcile.Result{}, nil
	case errors.Is(err, errMoved), errors.Is(err, ownership.ErrLost), apierrors.IsConflict(err):
		// What we acted on is not what the API server has: the watch brings the new version, or has already.
		s.log.V(1).Info("Something changed meanwhile; looking again", "what", err.Error())
		return reconcile.Result{RequeueAfter: 50 * time.Millisecond}, nil
	case errors.As(err, &lapsed):
		s.log.V(1).Info("Not acting while ownership is not certain", "why", lapsed.Reason)
		return reconcile.Result{RequeueAfter: lapsedRetry}, nil
	default:
		return result, err
	}
}

// lapsedRetry is how soon to look again when only this process's own validity was in the way. Its return wakes all Bids
// too.
const lapsedRetry = time.Second
