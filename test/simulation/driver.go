package simulation

import (
	"context"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// driver is a process's connection to the marketplace.
type driver struct{ p *process }

var _ marketplace.Driver = driver{}

func (d driver) Capabilities() marketplace.Capabilities {
	return marketplace.Capabilities{StoresKey: d.p.w.plan.StoresKey, SendsKey: true, CanList: true, CanWithdraw: true}
}

// Account is not told here.
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

func (d driver) fateOf(l luck) fate {
	if d.p.w.calm() {
		return answered
	}
	return fate(l.weighted(60, 12, 12, 8, 8))
}

// leave is the moment between the last check and the first byte: a process that stands still right here is what the bound
// on pauses is about.
func (d driver) leave(ctx context.Context, l luck) error {
	pause := d.p.left(paused)
	if !d.p.w.plan.Beyond {
		pause = min(pause, l.between(0, timing.Pause-10*time.Millisecond))
	}
	if pause > 0 {
		_ = d.p.w.sleep(context.WithoutCancel(ctx), pause)
	}
	switch {
	case d.p.isDead():
		return errDead
	case d.p.left(noMarket) > 0:
		return refusal("connect", onebidv1.ErrorTransient) // no byte went out
	}
	return d.p.w.sleep(ctx, l.between(200*time.Microsecond, 5*time.Millisecond))
}

// lateness is how long after now something is carried out whose caller gives up at the context's deadline.
func (d driver) lateness(ctx context.Context, l luck) time.Duration {
	deadline, _ := ctx.Deadline()
	most := lateCommit
	if d.p.w.plan.Beyond && l.chance(0.5) {
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
	l := d.p.w.fortune.of(d.p.name, "place "+req.PostingID)
	began := time.Now()
	if err := d.leave(ctx, l); err != nil {
		return marketplace.Bid{}, err
	}
	hidden := time.Duration(0)
	if d.p.w.troubled() && l.chance(0.4) {
		hidden = l.between(0, visibility-50*time.Millisecond)
	}
	shown := time.Now().Add(hidden)
	bid, err := d.place(ctx, l, req, hidden)
	d.p.w.journal.placed(req.PostingID, d.p.w.owner(req.IdempotencyKey), bid, err, began, shown)
	return bid, err
}

func (d driver) place(ctx context.Context, l luck, req marketplace.PlaceRequest, hidden time.Duration) (marketplace.Bid, error) {
	m, f := d.p.w.market, d.fateOf(l)
	sent := m.arrived(d.p.name, req)
	d.p.w.note(d.p.name, "places on %s with key of %s: %s", req.PostingID, owned{d.p.w, req.IdempotencyKey}, f)
	var bid marketplace.Bid
	var err error
	switch f {
	case answered:
		bid, err = m.carryOut(req, hidden)
	case unanswered:
		_, _ = m.carryOut(req, hidden)
	case late:
		d.p.w.later(d.lateness(ctx, l), func() { _, _ = m.carryOut(req, hidden) })
	case refused:
		err = refusal("place", []onebidv1.ErrorClass{onebidv1.ErrorTransient, onebidv1.ErrorRateLimited}[l.IntN(2)])
	case never:
	}
	if err := d.reply(ctx, l, f, "place"); err != nil {
		return marketplace.Bid{}, err
	}
	m.known(sent)
	return bid, err
}

// reply is nil when the reply arrives.
func (d driver) reply(ctx context.Context, l luck, f fate, operation string) error {
	unknown := refusal(operation, onebidv1.ErrorUnknownOutcome)
	if f != answered && f != refused {
		// A reset or a 5xx comes at once, a time-out at the deadline.
		wait := l.between(time.Millisecond, 300*time.Millisecond)
		if l.chance(0.4) {
			wait = time.Hour
		}
		_ = d.p.w.sleep(ctx, wait)
		d.p.stand(ctx)
		return unknown
	}
	if d.p.w.sleep(ctx, l.between(time.Millisecond, 200*time.Millisecond)) != nil {
		return unknown
	}
	d.p.stand(ctx)
	if d.p.isDead() || ctx.Err() != nil && l.chance(0.5) {
		return unknown
	}
	return nil
}

// Withdraw sends one request.
func (d driver) Withdraw(ctx context.Context, _ marketplace.Pacer, ref marketplace.Ref, _ string) error {
	l := d.p.w.fortune.of(d.p.name, "withdraw "+ref.BidID)
	began := time.Now()
	if err := d.leave(ctx, l); err != nil {
		return err
	}
	err := d.withdraw(ctx, l, ref)
	d.p.w.journal.withdrew(ref.PostingID, ref.BidID, err, began)
	return err
}

func (d driver) withdraw(ctx context.Context, l luck, ref marketplace.Ref) error {
	m := d.p.w.market
	m.mu.Lock()
	m.writes++
	m.mu.Unlock()
	f := d.fateOf(l)
	d.p.w.note(d.p.name, "withdraws %s: %s", ref.BidID, f)
	var err error
	switch f {
	case answered:
		err = m.takeBack(ref.BidID)
	case unanswered:
		_ = m.takeBack(ref.BidID)
	case late:
		d.p.w.later(d.lateness(ctx, l), func() { _ = m.takeBack(ref.BidID) })
	case refused:
		err = refusal("withdraw", onebidv1.ErrorTransient)
	case never:
	}
	if err := d.reply(ctx, l, f, "withdraw"); err != nil {
		return err
	}
	return err
}

// read is one request that changes nothing.
func (d driver) read(ctx context.Context, operation, what string, see func()) error {
	l := d.p.w.fortune.of(d.p.name, operation+" "+what)
	failed := refusal(operation, onebidv1.ErrorTransient)
	if d.p.depart(ctx, l, noMarket) != nil {
		return failed
	}
	if d.p.w.troubled() && l.chance(0.05) {
		return failed
	}
	see()
	if d.p.arrive(ctx, l) != nil {
		return failed
	}
	return nil
}

// Lookup lists what is to be seen on a posting.
func (d driver) Lookup(ctx context.Context, _ marketplace.Pacer, postingID string) (found []marketplace.Bid, err error) {
	began := time.Now()
	var ours []string
	err = d.read(ctx, "lookup", postingID, func() {
		found = d.p.w.market.visible(func(b *remote) bool {
			if b.posting == postingID && b.uid != "" && b.live() && !time.Now().Before(b.visibleAt) {
				ours = append(ours, b.id)
			}
			return b.posting == postingID
		})
		d.p.w.note(d.p.name, "looks %s up and sees %s", postingID, shownBids(found))
	})
	if err != nil {
		return nil, err
	}
	d.p.w.market.looked(postingID, began)
	d.p.w.journal.looked(postingID, ours, began)
	return found, nil
}

// Get reads one bid.
func (d driver) Get(ctx context.Context, _ marketplace.Pacer, ref marketplace.Ref) (marketplace.Bid, error) {
	var found []marketplace.Bid
	err := d.read(ctx, "get", ref.BidID, func() {
		found = d.p.w.market.visible(func(b *remote) bool { return b.id == ref.BidID })
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
	err = d.read(ctx, "list", "", func() { found = d.p.w.market.visible((*remote).live) })
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
