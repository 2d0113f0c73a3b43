package simulation

import (
	"context"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// driver is a process's connection to the marketplace.
type driver struct {
	p      *process
	market *market
}

var _ marketplace.Driver = driver{}

func (d driver) Capabilities() marketplace.Capabilities {
	return marketplace.Capabilities{StoresKey: d.p.plan.StoresKey, SendsKey: true, CanList: true, CanWithdraw: true}
}

// Account is not known here.
func (driver) Account(context.Context, marketplace.Pacer) (string, error) { return "", nil }

// fate of a call that changes something.
type fate int

const (
	answered fate = iota
	// unanswered is carried out, and the reply is lost.
	unanswered
	// late is carried out after the caller gave up.
	late
	// never is not carried out, and there is no telling.
	never
	// refused is documented as without effect.
	refused
)

func (d driver) fateOf(l random) fate {
	if !d.p.faulty() {
		return answered
	}
	return fate(l.weighted(60, 12, 12, 8, 8))
}

// leave is the moment between the last check and the first byte: a process that stands still right here is what the bound
// on pauses is about.
func (d driver) leave(ctx context.Context, l random) error {
	pause := d.p.faultLeft(paused)
	if !d.p.plan.Beyond {
		pause = min(pause, l.between(0, timing.Pause-10*time.Millisecond))
	}
	if pause > 0 {
		_ = d.p.sleep(context.WithoutCancel(ctx), pause)
	}
	switch {
	case d.p.isDead():
		return errDead
	case d.p.faultLeft(noMarket) > 0:
		return refusal("connect", onebidv1.ErrorTransient) // no byte went out
	}
	return d.p.sleep(ctx, l.between(200*time.Microsecond, 5*time.Millisecond))
}

// lateness is how long after now something is carried out whose caller gives up at the context's deadline.
func (d driver) lateness(ctx context.Context, l random) time.Duration {
	deadline, _ := ctx.Deadline()
	most := lateCommit
	if d.p.plan.Beyond && l.chance(0.5) {
		most = beyondAll
	}
	return time.Until(deadline) + l.between(-time.Second, most-50*time.Millisecond)
}

// Preview is not asked for: nothing here is a dry run.
func (driver) Preview(context.Context, marketplace.PlaceRequest) (marketplace.Preview, error) {
	return marketplace.Preview{}, refusal("preview", onebidv1.ErrorInvalid)
}

// Place sends one request.
func (d driver) Place(ctx context.Context, _ marketplace.Pacer, req marketplace.PlaceRequest) (marketplace.Bid, error) {
	l := d.p.randoms.of(d.p.name, "place "+req.PostingID)
	began := time.Now()
	if err := d.leave(ctx, l); err != nil {
		return marketplace.Bid{}, err
	}
	hidden := time.Duration(0)
	if d.p.faulty() && l.chance(0.4) {
		hidden = l.between(0, visibility-50*time.Millisecond)
	}
	shown := time.Now().Add(hidden)
	bid, err := d.place(ctx, l, req, hidden)
	d.p.journal.placed(req.PostingID, d.p.owner(req.IdempotencyKey), bid, err, began, shown)
	return bid, err
}

func (d driver) place(ctx context.Context, l random, req marketplace.PlaceRequest, hidden time.Duration) (marketplace.Bid, error) {
	f := d.fateOf(l)
	sent := d.market.arrived(d.p.name, req)
	d.p.note(d.p.name, "places on %s with key of %s: %s", req.PostingID, owned{d.p.env, req.IdempotencyKey}, f)
	var bid marketplace.Bid
	replied, err := d.carryOut(ctx, l, f, marketplace.OpPlace, func() (err error) {
		bid, err = d.market.place(req, hidden)
		return err
	})
	if replied {
		d.market.known(sent)
	}
	if err != nil {
		return marketplace.Bid{}, err
	}
	return bid, nil
}

// carryOut lets a call take effect according to its fate, and reports whether its caller gets the reply.
func (d driver) carryOut(ctx context.Context, l random, f fate, operation string, effect func() error) (replied bool, err error) {
	switch f {
	case answered:
		err = effect()
	case unanswered:
		_ = effect()
	case late:
		d.market.later(d.lateness(ctx, l), func() { _ = effect() })
	case refused:
		err = refusal(operation, []onebidv1.ErrorClass{onebidv1.ErrorTransient, onebidv1.ErrorRateLimited}[l.IntN(2)])
	case never:
	}
	if lost := d.reply(ctx, l, f, operation); lost != nil {
		return false, lost
	}
	return true, err
}

// reply is nil when the reply arrives.
func (d driver) reply(ctx context.Context, l random, f fate, operation string) error {
	unknown := refusal(operation, onebidv1.ErrorUnknownOutcome)
	if f != answered && f != refused {
		// A reset or a 5xx comes at once, a time-out at the deadline.
		wait := l.between(time.Millisecond, 300*time.Millisecond)
		if l.chance(0.4) {
			wait = time.Hour
		}
		_ = d.p.sleep(ctx, wait)
		d.p.waitWhilePaused(ctx)
		return unknown
	}
	if d.p.sleep(ctx, l.between(time.Millisecond, 200*time.Millisecond)) != nil {
		return unknown
	}
	d.p.waitWhilePaused(ctx)
	if d.p.isDead() || ctx.Err() != nil && l.chance(0.5) {
		return unknown
	}
	return nil
}

// Withdraw sends one request.
func (d driver) Withdraw(ctx context.Context, _ marketplace.Pacer, ref marketplace.Ref, _ string) error {
	l := d.p.randoms.of(d.p.name, "withdraw "+ref.BidID)
	began := time.Now()
	if err := d.leave(ctx, l); err != nil {
		return err
	}
	err := d.withdraw(ctx, l, ref)
	d.p.journal.withdrew(ref.PostingID, ref.BidID, err, began)
	return err
}

func (d driver) withdraw(ctx context.Context, l random, ref marketplace.Ref) error {
	d.market.countWrite()
	f := d.fateOf(l)
	d.p.note(d.p.name, "withdraws %s: %s", ref.BidID, f)
	_, err := d.carryOut(ctx, l, f, marketplace.OpWithdraw, func() error { return d.market.withdraw(ref.BidID) })
	return err
}

// read is one request that changes nothing.
func (d driver) read(ctx context.Context, operation, what string, see func()) error {
	l := d.p.randoms.of(d.p.name, operation+" "+what)
	failed := refusal(operation, onebidv1.ErrorTransient)
	if d.p.send(ctx, l, noMarket) != nil {
		return failed
	}
	if d.p.faulty() && l.chance(0.05) {
		return failed
	}
	see()
	if d.p.receive(ctx, l) != nil {
		return failed
	}
	return nil
}

// Lookup lists what is to be seen on a posting.
func (d driver) Lookup(ctx context.Context, _ marketplace.Pacer, postingID string) (found []marketplace.Bid, err error) {
	began := time.Now()
	var ours []string
	err = d.read(ctx, "lookup", postingID, func() {
		found = d.market.visible(func(b *remote) bool {
			if b.posting == postingID && b.uid != "" && b.live() && !time.Now().Before(b.visibleAt) {
				ours = append(ours, b.id)
			}
			return b.posting == postingID
		})
		d.p.note(d.p.name, "looks %s up and sees %s", postingID, shownBids(found))
	})
	if err != nil {
		return nil, err
	}
	d.market.lookedUp(postingID, began)
	d.p.journal.lookedUp(postingID, ours, began)
	return found, nil
}

// Get reads one bid.
func (d driver) Get(ctx context.Context, _ marketplace.Pacer, ref marketplace.Ref) (marketplace.Bid, error) {
	var found []marketplace.Bid
	err := d.read(ctx, "get", ref.BidID, func() {
		found = d.market.visible(func(b *remote) bool { return b.id == ref.BidID })
	})
	switch {
	case err != nil:
		return marketplace.Bid{}, err
	case len(found) == 0:
		return marketplace.Bid{}, refusal("get", onebidv1.ErrorNotFound)
	}
	return found[0], nil
}

// List lists what is live.
func (d driver) List(ctx context.Context, _ marketplace.Pacer) (found []marketplace.Bid, err error) {
	err = d.read(ctx, "list", "", func() { found = d.market.visible((*remote).live) })
	return found, err
}

func (m *market) visible(which func(*remote) bool) []marketplace.Bid {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []marketplace.Bid
	for _, b := range m.bids {
		if which(b) && !time.Now().Before(b.visibleAt) {
			out = append(out, m.shown(b))
		}
	}
	return out
}
