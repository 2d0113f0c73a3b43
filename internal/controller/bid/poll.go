package bid

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// poll reads what the marketplace says of a bid that we took for live, or withdrew. Nothing new costs no write.
func (r *Reconciler) poll(ctx context.Context, s *situation) (reconcile.Result, error) {
	if s.conn == nil {
		return reconcile.Result{}, nil
	}
	if result, ok := r.awake(s); !ok {
		return result, nil
	}
	bid, err := r.look(ctx, s)
	if account.Unsent(err) {
		spread := time.Duration(r.Jitter() * float64(time.Second))
		return reconcile.Result{RequeueAfter: max(marketplace.RetryAfter(err), time.Second) + spread}, nil
	}
	r.polls.asked(s, r.Wall.Now())
	again := reconcile.Result{RequeueAfter: r.until(r.polls.due(s, r.Wall.Now()))}
	if err != nil {
		s.log.Info("Reading the bid back failed; it is tried again at the next interval", "error", err.Error())
		return again, nil
	}
	outcome := bidding.OutcomeOf(bid.State)
	if outcome == "" || outcome == s.bid.Status.Outcome {
		return again, r.record(ctx, s, s.bid, bidding.Seen())
	}
	return again, r.conclude(ctx, s, s.bid, bidding.Observed(bid.State))
}

// look asks for one bid when somebody asked for it or it is not among the live ones, and else lets one list answer for
// all bids of the account.
func (r *Reconciler) look(ctx context.Context, s *situation) (marketplace.Bid, error) {
	asked := bidding.Requested(s.bid) != s.bid.Status.LastHandledReconcileAt
	if !asked && s.bid.Status.Outcome == "" && s.conn.Capabilities().CanList {
		listed, live, err := s.conn.Listed(ctx, refOf(s.bid))
		if err != nil || live && listed.State == onebidv1.RemoteLive {
			return listed, err
		}
	}
	return s.conn.Read(ctx, s.query(), refOf(s.bid), placedAt(s.bid))
}
