package account

import (
	"context"
	"slices"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/failpoint"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// Query is whom and what a read is about.
type Query struct {
	Priority Priority
	// AccountID is the account that our bids are with. When the marketplace says another one, the read fails with class
	// Auth. "" is any.
	AccountID string
	// Orphan is true for a bid that no Bid accounts for. It only tells failpoints apart.
	Orphan bool
}

// Identify asks the marketplace for the account's ID. Refused credentials pause nothing: they are what it is to find out.
func (a *Account) Identify(ctx context.Context) (string, error) {
	r, err := a.call(ctx, request{operation: marketplace.OpAccount, anyAnswer: true})
	return r.accountID, err
}

// Place sends one request and waits for nothing before it: admit it first.
func (a *Account) Place(ctx context.Context, p Priority, req marketplace.PlaceRequest) (marketplace.Bid, error) {
	failpoint.Before(failpoint.Place)
	r, err := a.call(ctx, request{operation: marketplace.OpPlace, priority: p, place: req})
	failpoint.After(failpoint.Place, err)
	return r.bid, err
}

// Preview shows what Place would send. It makes no request.
func (a *Account) Preview(ctx context.Context, req marketplace.PlaceRequest) (marketplace.Preview, error) {
	return a.driver.Preview(ctx, req)
}

// Find lists our bids on a posting, with the account proven. It asks for the account after the lookup: some marketplaces
// answer with an empty list when a session has ended, and an account that was proven before says nothing about that.
func (a *Account) Find(ctx context.Context, q Query, postingID string) ([]marketplace.Bid, error) {
	failpoint.Before(failpoint.Lookup)
	r, err := a.call(ctx, request{operation: marketplace.OpLookup, priority: q.Priority, postingID: postingID})
	failpoint.After(failpoint.Lookup, err)
	if err != nil {
		return nil, err
	}
	return r.bids, a.prove(ctx, q)
}

// prove fails when the marketplace does not know us, or knows us as another account.
func (a *Account) prove(ctx context.Context, q Query) error {
	r, err := a.call(ctx, request{operation: marketplace.OpAccount, priority: q.Priority})
	if err != nil {
		return err
	}
	if q.AccountID != "" && r.accountID != "" && r.accountID != q.AccountID {
		return &marketplace.Error{
			Class: onebidv1.ErrorAuth, Operation: marketplace.OpAccount,
			Message: "the credentials are of account " + r.accountID + ", but our bids were placed as " + q.AccountID,
		}
	}
	return nil
}

// Read reads one bid by its ID. NotFound is believed only when Find does not show the bid either; then its state is
// RemoteWithdrawn. A bid that was placed less than the settle time ago, on the API server's clock, may not be shown yet:
// then its absence is an error of class Transient. The zero time is long ago.
func (a *Account) Read(ctx context.Context, q Query, ref marketplace.Ref, placedAt time.Time) (marketplace.Bid, error) {
	failpoint.Before(failpoint.ReadBack)
	r, err := a.call(ctx, request{operation: marketplace.OpGet, priority: q.Priority, ref: ref})
	failpoint.After(failpoint.ReadBack, err)
	if marketplace.ClassOf(err) != onebidv1.ErrorNotFound {
		return r.bid, err
	}
	found, err := a.Find(ctx, q, ref.PostingID)
	if err != nil {
		return marketplace.Bid{}, err
	}
	if at := slices.IndexFunc(found, func(b marketplace.Bid) bool { return b.ID == ref.BidID }); at >= 0 {
		return found[at], nil
	}
	if a.wall.Now().Before(placedAt.Add(a.settle)) {
		return marketplace.Bid{}, &marketplace.Error{
			Class: onebidv1.ErrorTransient, Operation: marketplace.OpGet, Message: "the marketplace does not show the bid yet",
		}
	}
	return marketplace.Bid{ID: ref.BidID, State: onebidv1.RemoteWithdrawn}, nil
}

// Retract withdraws a bid by its ID and reads it back. It succeeds only when the marketplace shows the bid as not open, and
// returns the state that it shows. Admit it first. See Read for placedAt, which does not count once the marketplace accepted
// the withdrawal.
func (a *Account) Retract(
	ctx context.Context, q Query, ref marketplace.Ref, placedAt time.Time, reason string,
) (onebidv1.RemoteState, error) {
	refused := a.withdraw(ctx, q, ref, reason)
	class := marketplace.ClassOf(refused)
	switch class {
	case "", onebidv1.ErrorAlreadyWithdrawn:
		placedAt = time.Time{}
	case onebidv1.ErrorNotFound, onebidv1.ErrorNotWithdrawable, onebidv1.ErrorUnknownOutcome:
	default:
		return "", refused
	}
	bid, err := a.Read(ctx, q, ref, placedAt)
	switch {
	case err != nil:
		return "", err
	case !bid.Open():
		return bid.State, nil
	case refused != nil:
		return "", refused
	default:
		return "", &marketplace.Error{
			Class: onebidv1.ErrorTransient, Operation: marketplace.OpWithdraw,
			Message: "the marketplace accepted the withdrawal and still shows the bid as " + bid.Word,
		}
	}
}

func (a *Account) withdraw(ctx context.Context, q Query, ref marketplace.Ref, reason string) error {
	r := request{operation: marketplace.OpWithdraw, priority: q.Priority, ref: ref, reason: reason}
	if q.Orphan {
		failpoint.Before(failpoint.AuditWithdraw)
		_, err := a.call(ctx, r)
		failpoint.After(failpoint.AuditWithdraw, err)
		return err
	}
	failpoint.Before(failpoint.Withdraw)
	_, err := a.call(ctx, r)
	failpoint.After(failpoint.Withdraw, err)
	return err
}

// List lists every bid that may still be accepted, with the account proven when there is none. It waits for every page, at
// most an audit interval. Without the capability it fails with class Invalid.
func (a *Account) List(ctx context.Context) ([]marketplace.Bid, error) {
	ctx, cancel := context.WithTimeout(ctx, max(a.auditInterval(), a.Timeout()))
	defer cancel()
	q := Query{Priority: Priority{Class: PriorityBackground}}
	r, err := a.call(ctx, request{operation: marketplace.OpList, priority: q.Priority})
	if err == nil && len(r.bids) == 0 {
		err = a.prove(ctx, q)
	}
	return r.bids, err
}

func (a *Account) auditInterval() time.Duration {
	return time.Duration(a.spec.AuditIntervalSeconds) * time.Second
}
