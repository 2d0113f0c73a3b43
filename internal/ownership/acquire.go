package ownership

import (
	"context"
	"errors"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/onebid-dev/onebid/internal/failpoint"
)

const (
	// maxRounds bounds how often one call reads again after another process wrote in between. Each lost round means that
	// another one won, so after a few this one gives up for now.
	maxRounds = 5
	// exclusiveRetry is how soon to ask again for a posting that another goroutine of the process keeps to itself.
	exclusiveRetry = time.Second
)

// Acquire makes one attempt to hold the posting's Lease, without waiting for it to become free.
//
// Requests: none when this process holds it, its write is recent enough and the intent is there already. One when
// nothing is in the way: a create that carries everything, or one update to add an intent, to assert the claim or to take
// a Lease that the hint shows correctly. Otherwise a live read and an update, and a read of the holder's heartbeat when
// that seems dead. It blocks for these requests, and while another goroutine writes the same Lease.
//
// Errors: *HeldError, *CooldownError, *TerminatingError, *LapsedError when this replica's own heartbeat is not
// acknowledged, *onebidv1.KeyError, and those of the API server. After an error of the API server the claim is
// unconfirmed: the Lease may be held, its reply being lost. The next Acquire recognises that and asserts the claim.
func (c *Client) Acquire(ctx context.Context, req Request) (*Claim, error) {
	a, err := c.newAttempt(&req)
	if err != nil {
		return nil, err
	}
	return a.try(ctx)
}

// attempt is one Acquire, or those of one AcquireWait.
type attempt struct {
	c   *Client
	req *Request
	subject
	ref string
	// hint is the Lease to begin with, perhaps an old version; nil means to create it.
	hint *coordinationv1.Lease
	// readFirst begins with a live read instead of the hint.
	readFirst bool
	// own is what this process held when the attempt began, or nil.
	own *heldLease
	// occupied is the request's, until it was called.
	occupied func()
}

func (c *Client) newAttempt(req *Request) (*attempt, error) {
	s, err := req.subject()
	if err != nil {
		return nil, err
	}
	return &attempt{c: c, req: req, subject: s, ref: refOf(req.Namespace, s.name), hint: req.Hint, occupied: req.Occupied}, nil
}

func (a *attempt) try(ctx context.Context) (*Claim, error) {
	unlock, err := a.c.locks.lock(ctx, a.ref)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if claim, err := a.fromMemory(); claim != nil || err != nil {
		return claim, err
	}
	return a.run(ctx)
}

// fromMemory answers from what this process holds: with a controller's claim that is fresh, or for a scanner that another
// goroutine has it.
func (a *attempt) fromMemory() (*Claim, error) {
	c, now := a.c, a.c.clock.Now()
	epoch, err := c.epoch()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.held[a.ref]
	a.own = nil
	switch {
	case h == nil:
		return nil, nil
	case h.ended:
		a.own = h
		return nil, nil
	case c.me.Role == RoleScanner:
		if until := h.assertedAt.Add(durationOf(h.lease)); now.Before(until) {
			return nil, &HeldError{Holder: c.me.String(), Until: until}
		}
		return nil, nil
	case h.bidUID != a.req.BidUID && (h.exclusive || a.req.Exclusive):
		return nil, &HeldError{Holder: c.me.String(), Until: now.Add(exclusiveRetry)}
	}
	a.own, a.hint = h, h.lease
	noted := a.req.Intent == nil || intentsOf(h.lease).reached(*a.req.Intent)
	if h.bidUID != a.req.BidUID || h.epoch != epoch || c.expiring(h, now) || !noted {
		return nil, nil
	}
	h.exclusive = h.exclusive || a.req.Exclusive
	return h.claim(), nil
}

// errReadFirst means that the hint forbids what only a live read may forbid.
var errReadFirst = errors.New("the Lease must be read live")

// run tries until it holds the Lease or a live read says that it cannot be had.
func (a *attempt) run(ctx context.Context) (*Claim, error) {
	lease, live := a.hint, a.readFirst
	for range maxRounds {
		if live {
			var err error
			if lease, err = getIfAny(ctx, a.c.leases.Leases(a.req.Namespace), a.name); err != nil {
				return nil, err
			}
		}
		claim, err := a.step(ctx, lease, live)
		if !leaseChanged(err) && !errors.Is(err, errReadFirst) {
			return claim, err
		}
		if a.occupied != nil {
			a.occupied()
			a.occupied = nil
			if a.req.gaveUp() {
				return nil, &HeldError{Holder: "another process", Until: a.c.clock.Now()}
			}
		}
		live = true
	}
	// Other processes were faster each time, so one of them has it, or had it a moment ago.
	busy := &HeldError{Holder: "several processes in turn", Until: a.c.clock.Now()}
	if lease != nil && HolderOf(lease) != "" {
		busy.Holder = HolderOf(lease)
	}
	return nil, busy
}

// step does what may be done about this version of the Lease.
func (a *attempt) step(ctx context.Context, lease *coordinationv1.Lease, live bool) (*Claim, error) {
	v, until, err := a.judge(ctx, lease)
	switch {
	case err != nil:
		return nil, err
	case v == verdictCreate:
		return a.create(ctx)
	case v == verdictTake || v == verdictOwn:
		return a.write(ctx, lease, v)
	case !live:
		return nil, errReadFirst
	}
	a.c.noteWrite(a.ref, nil)
	if v == verdictCooldown {
		t, _ := tombstoneOf(lease)
		return nil, &CooldownError{Until: until, Outcome: t.Outcome, BidUID: t.BidUID}
	}
	if a.own != nil && v == verdictHeld {
		a.c.end(a.own) // another process took it
	}
	return nil, &HeldError{Holder: HolderOf(lease), Until: until}
}

// judge decides, and confirms by a live read that a holder's heartbeat is dead. The posting's Lease was read before
// that, and is taken only in the version that was read, so a holder that comes back in between is noticed.
func (a *attempt) judge(ctx context.Context, lease *coordinationv1.Lease) (v verdict, until time.Time, err error) {
	if v, until = decide(lease, a.c.me, a.facts(lease), a.c.clock.Now()); v != verdictConfirm {
		return v, until, nil
	}
	dead, err := a.c.judge.confirmDead(ctx, heartbeatOf(lease))
	f := a.facts(lease)
	switch {
	case apierrors.IsForbidden(err):
		f.heartbeat = heartbeatState{}
	case err != nil:
		return "", time.Time{}, err
	case dead:
		f.heartbeat.readable, f.heartbeat.dead = true, true
		a.c.log.V(1).Info("The holder of a posting is dead", "lease", a.ref, "holder", HolderOf(lease))
	}
	v, until = decide(lease, a.c.me, f, a.c.clock.Now())
	return v, until, nil
}

func (a *attempt) facts(lease *coordinationv1.Lease) facts {
	if lease == nil {
		return facts{}
	}
	f := facts{
		wall:           a.c.wall.Now(),
		since:          a.c.seen.see(a.ref, recordOf(lease), a.c.clock.Now()),
		bidUID:         a.req.BidUID,
		ignoreCooldown: a.req.IgnoreCooldown,
	}
	if ref := heartbeatOf(lease); ref != "" {
		f.heartbeat = a.c.judge.state(ref)
	}
	return f
}

func (a *attempt) claimSpec() *claimSpec {
	spec := &claimSpec{Request: a.req, subject: a.subject, me: a.c.me, wall: a.c.wall.Now()}
	if a.c.members != nil {
		spec.heartbeat = a.c.members.own.ref()
	}
	return spec
}

// create makes the Lease. When this process held one that was deleted, the unresolved intents that it remembers go into
// the new one.
func (a *attempt) create(ctx context.Context) (*Claim, error) {
	spec, past := a.claimSpec(), history{}
	if a.own != nil {
		past = historyOf(a.own.lease, spec)
	}
	next := newLease(spec, past.intents)
	sent := a.c.beforeSend()
	failpoint.Before(failpoint.LeaseCreate)
	lease, err := a.c.leases.Leases(a.req.Namespace).Create(ctx, next, metav1.CreateOptions{})
	a.c.noteWrite(a.ref, err)
	failpoint.After(failpoint.LeaseCreate, err)
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || apierrors.IsNotFound(err) {
		return nil, &TerminatingError{Namespace: a.req.Namespace, cause: err}
	}
	if err != nil {
		return nil, err
	}
	return a.remember(lease, sent, past), nil
}

// write takes exactly the version of the Lease that was judged.
func (a *attempt) write(ctx context.Context, base *coordinationv1.Lease, v verdict) (*Claim, error) {
	// A scanner that finds itself as the holder does so after a lost reply or after its own Lease ran out; a new token
	// keeps a goroutine with the old claim from releasing the new one.
	newTerm := v == verdictTake || a.c.me.Role == RoleScanner
	next, past := taken(base, a.claimSpec(), newTerm)
	sent := a.c.beforeSend()
	failpoint.Before(failpoint.LeaseUpdate)
	lease, err := a.c.leases.Leases(a.req.Namespace).Update(ctx, next, metav1.UpdateOptions{})
	a.c.noteWrite(a.ref, err)
	failpoint.After(failpoint.LeaseUpdate, err)
	if err != nil {
		return nil, err
	}
	return a.remember(lease, sent, past), nil
}

// remember keeps what was just written. A write in the term that this process remembers continues it.
func (a *attempt) remember(lease *coordinationv1.Lease, sent sent, past history) *Claim {
	c, h := a.c, a.own
	c.seen.forget(a.ref)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case h == nil || h.ended || tokenOf(h.lease) != tokenOf(lease):
		h = &heldLease{acquiredAt: c.clock.Now(), prior: past.intents, inherited: past.unresolved}
		if old := c.held[a.ref]; old != nil {
			old.ended = true
		}
		c.held[a.ref] = h
	case h.bidUID != a.req.BidUID:
		h.prior, h.inherited = past.intents, past.unresolved
	default:
		h.addPrior(past.intents)
	}
	h.bidUID, h.lease = a.req.BidUID, lease
	h.exclusive = h.exclusive || a.req.Exclusive
	h.assertedAt, h.epoch = sent.at, sent.epoch
	return h.claim()
}
