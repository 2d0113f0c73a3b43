package ownership

import (
	"context"
	"errors"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/onebid-dev/onebid/internal/failpoint"
)

// maxRounds bounds how often one call reads again after somebody else wrote in between. Each round that loses means that
// another one won, so whoever loses more than a few lets others have it for now.
const maxRounds = 5

// Acquire makes one attempt to hold the posting's Lease, without waiting for it to become free.
//
// Requests: none when this process holds it, its write is recent enough and the intent is there already. One when
// nothing is in the way: a create that carries everything, or one update to add an intent, to assert the claim again or
// to take a Lease that the hint shows correctly. Otherwise a live read and an update; a read of the holder's heartbeat
// more when that seems dead. It blocks for these requests, and while another goroutine writes the same Lease.
//
// Errors: *HeldError, *CooldownError, *TerminatingError, *LapsedError when this replica's own heartbeat is not
// acknowledged, *onebidv1.KeyError, and those of the API server. After an error of the API server the Lease may be held
// nevertheless, its reply being lost: the next Acquire recognises that and asserts the claim.
func (c *Client) Acquire(ctx context.Context, req Request) (*Claim, error) {
	a, err := c.newAttempt(&req)
	if err != nil {
		return nil, err
	}
	return c.try(ctx, a)
}

// try makes the attempt, begun as it says.
func (c *Client) try(ctx context.Context, a *attempt) (*Claim, error) {
	unlock, err := c.locks.lock(ctx, a.lockName)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if claim, err := a.fromMemory(); claim != nil || err != nil {
		return claim, err
	}
	return a.run(ctx)
}

// attempt is one Acquire.
type attempt struct {
	c   *Client
	req *Request
	subject
	lockName string
	// mine is what this process held when the attempt began, or nil.
	mine *holding
	// start is the Lease to begin with, which may be stale; nil means to create it.
	start *coordinationv1.Lease
	// live makes the attempt begin with a read, because a create would only be refused.
	live bool
	// occupied is the request's, until it was called.
	occupied func()
}

func (c *Client) newAttempt(req *Request) (*attempt, error) {
	about, err := req.subject()
	if err != nil {
		return nil, err
	}
	return &attempt{
		c: c, req: req, subject: about, lockName: lockName(req.Namespace, about.name), start: req.Hint, occupied: req.Occupied,
	}, nil
}

// next is another attempt of the same request, begun with what was seen since.
func (a *attempt) next(start *coordinationv1.Lease) *attempt {
	return &attempt{c: a.c, req: a.req, subject: a.subject, lockName: a.lockName, start: start}
}

// fromMemory answers from what this process holds: a controller's claim that is fresh, or for a scanner that another
// goroutine has it.
func (a *attempt) fromMemory() (*Claim, error) {
	c, now := a.c, a.c.clock.Now()
	epoch, err := c.valid(now)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h, found := c.held[a.lockName]
	if !found {
		return nil, nil
	}
	if h.over {
		a.mine = h
		return nil, nil
	}
	if c.me.Role == RoleScanner {
		if until := h.assertedAt.Add(h.ttl); now.Before(until) {
			return nil, &HeldError{Holder: c.me.String(), Until: until}
		}
		return nil, nil
	}
	if h.bidUID != a.req.BidUID && (h.exclusive || a.req.Exclusive) {
		return nil, &HeldError{Holder: c.me.String(), Until: now.Add(exclusiveRetry)}
	}
	a.mine, a.start = h, h.lease
	if h.bidUID != a.req.BidUID || h.epoch != epoch || c.stale(h, now) || !a.noted(h) {
		return nil, nil
	}
	h.exclusive = h.exclusive || a.req.Exclusive
	return h.claim(), nil
}

// noted reports whether the Lease carries the requested intent.
func (a *attempt) noted(h *holding) bool {
	if a.req.Intent == nil {
		return true
	}
	return h.intents().reached(*a.req.Intent)
}

// run tries until it holds the Lease or a live read says that it cannot be had.
func (a *attempt) run(ctx context.Context) (*Claim, error) {
	lease, live := a.start, a.live
	for range maxRounds {
		if live {
			var err error
			if lease, err = a.read(ctx); err != nil {
				return nil, err
			}
		}
		claim, err := a.step(ctx, lease, live)
		if !overtaken(err) {
			return claim, err
		}
		if err := a.tellOccupied(); err != nil {
			return nil, err
		}
		live = true
	}
	// Others were faster each time, so one of them has it, or had it a moment ago.
	busy := &HeldError{Holder: "others in turn", Until: a.c.clock.Now()}
	if lease != nil && HolderOf(lease) != "" {
		busy.Holder = HolderOf(lease)
	}
	return nil, busy
}

// step does what may be done about the Lease in this version.
func (a *attempt) step(ctx context.Context, lease *coordinationv1.Lease, live bool) (*Claim, error) {
	decision, err := a.judge(ctx, lease)
	switch {
	case err != nil:
		return nil, err
	case decision.Verdict == Create:
		return a.create(ctx)
	case decision.Verdict == Take || decision.Verdict == Mine:
		return a.write(ctx, lease, decision.Verdict)
	case !live:
		return nil, errStale
	}
	a.c.doubt(a.lockName, nil)
	if a.mine != nil && decision.Verdict == Held {
		a.c.end(a.mine) // somebody else took it: what this process wrote last says nothing any more
	}
	return nil, refusal(decision)
}

// errStale stands for "the hint forbids it, but only a live read may".
var errStale = apierrors.NewConflict(coordinationv1.Resource("leases"), "", nil)

// overtaken reports whether the API server refused a write because the Lease is not as it was thought to be.
func overtaken(err error) bool {
	if _, gone := errors.AsType[*TerminatingError](err); gone {
		return false
	}
	return apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) || apierrors.IsNotFound(err)
}

func refusal(d Decision) error {
	if d.Verdict == Cooldown {
		return &CooldownError{Until: d.Until, Outcome: d.Tombstone.Outcome, BidUID: d.Tombstone.BidUID}
	}
	return &HeldError{Holder: d.Holder, Until: d.Until}
}

// read gets the Lease live; nil when there is none.
func (a *attempt) read(ctx context.Context) (*coordinationv1.Lease, error) {
	lease, err := a.c.Get(ctx, a.req.Namespace, a.name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return lease, err
}

// judge decides, and confirms by a live read that a holder's heartbeat is dead. The posting's Lease was read before
// that, and is taken only in the version that was read, so a holder that comes back in between is noticed.
func (a *attempt) judge(ctx context.Context, lease *coordinationv1.Lease) (Decision, error) {
	c := a.c
	facts := c.facts(lease, a.lockName, a.req)
	decision := Decide(lease, c.me, facts, c.clock.Now())
	if decision.Verdict != Confirm {
		return decision, nil
	}
	dead, err := c.pulses.ConfirmDead(ctx, HeartbeatOf(lease))
	switch {
	case apierrors.IsForbidden(err):
		facts.Pulse = Pulse{}
	case err != nil:
		return Decision{}, err
	case dead:
		facts.Pulse.Dead = true
		c.log.V(1).Info("The holder of a posting is dead", "lease", a.lockName, "holder", decision.Holder)
	default:
		facts = c.facts(lease, a.lockName, a.req)
	}
	return Decide(lease, c.me, facts, c.clock.Now()), nil
}

func (c *Client) facts(lease *coordinationv1.Lease, lockName string, req *Request) Facts {
	if lease == nil {
		return Facts{}
	}
	facts := Facts{
		Wall:           c.wall.Now(),
		Since:          c.seen.See(lockName, RecordOf(lease), c.clock.Now()),
		BidExists:      req.BidUID != "",
		BidUID:         req.BidUID,
		IgnoreCooldown: req.IgnoreCooldown,
	}
	if ref := HeartbeatOf(lease); ref != "" {
		facts.Pulse = c.pulses.pulse(ref)
	}
	return facts
}

func (a *attempt) tenure() *tenure {
	t := &tenure{
		me: a.c.me, subject: a.subject, bidUID: a.req.BidUID, ttl: a.req.TTL, intent: a.req.Intent,
		keepTombstone: a.req.IgnoreCooldown, wall: a.c.wall.Now(),
	}
	if a.c.members != nil {
		t.heartbeat = a.c.members.HeartbeatRef()
	}
	return t
}

// create makes the Lease. When this process held one that somebody deleted, what it knows of unresolved intents goes
// into the new one.
func (a *attempt) create(ctx context.Context) (*Claim, error) {
	t := a.tenure()
	past := history{}
	if a.mine != nil {
		past = historyOf(a.mine.lease, t)
		t.recalled = past.intents
	}
	sent := a.sending()
	failpoint.Before(failpoint.LeaseCreate)
	lease, err := a.c.leases.Leases(a.req.Namespace).Create(ctx, newLease(a.req.Namespace, a.name, t), metav1.CreateOptions{})
	a.c.doubt(a.lockName, err)
	failpoint.After(failpoint.LeaseCreate, err)
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || apierrors.IsNotFound(err) {
		return nil, &TerminatingError{Namespace: a.req.Namespace, cause: err}
	}
	if err != nil {
		return nil, err
	}
	return a.remember(lease, sent, past), nil
}

// write takes or retakes exactly the version of the Lease that was judged.
func (a *attempt) write(ctx context.Context, base *coordinationv1.Lease, verdict Verdict) (*Claim, error) {
	var next *coordinationv1.Lease
	var past history
	// A scanner that finds itself as the holder does so after a lost reply or after its own hold ran out; a new token
	// keeps a goroutine that still believes in the old hold from releasing the new one.
	if verdict == Take || a.c.me.Role == RoleScanner {
		next, past = taken(base, a.tenure())
	} else {
		next, past = retaken(base, a.tenure())
	}
	sent := a.sending()
	failpoint.Before(failpoint.LeaseUpdate)
	lease, err := a.c.leases.Leases(a.req.Namespace).Update(ctx, next, metav1.UpdateOptions{})
	a.c.doubt(a.lockName, err)
	failpoint.After(failpoint.LeaseUpdate, err)
	if err != nil {
		return nil, err
	}
	return a.remember(lease, sent, past), nil
}

// remember keeps what was just written. A write in the tenure that this process remembers continues it.
func (a *attempt) remember(lease *coordinationv1.Lease, sent sending, past history) *Claim {
	c := a.c
	c.seen.Forget(a.lockName)
	c.mu.Lock()
	defer c.mu.Unlock()
	h := a.mine
	switch {
	case h == nil || h.over || h.token != TokenOf(lease):
		h = &holding{
			namespace: a.req.Namespace, name: a.name, token: TokenOf(lease), acquiredAt: c.clock.Now(),
			prior: past.intents, inherited: past.unresolved,
		}
		if old := c.held[a.lockName]; old != nil {
			old.over = true
		}
		c.held[a.lockName] = h
	case h.bidUID != a.req.BidUID:
		h.prior, h.inherited = past.intents, past.unresolved
	default:
		h.find(past.intents)
	}
	h.bidUID, h.lease, h.ttl = a.req.BidUID, lease, durationOf(lease)
	h.exclusive = h.exclusive || a.req.Exclusive
	h.assertedAt, h.epoch = sent.at, sent.epoch
	return h.claim()
}
