package simulation

import (
	"context"
	"errors"
	"sync"
	"time"
)

var (
	errDead     = errors.New("this process is dead")
	errNoRoute  = errors.New("no route to host")
	errNoAnswer = errors.New("connection reset by peer")
)

// process is one life of a replica. All its requests pass here: a dead process makes none, a paused one makes them later,
// one that is cut off gets errors.
type process struct {
	*env
	name string

	mu    sync.Mutex
	dead  bool
	until map[fault]time.Time
}

// fault is a temporary fault of one process.
type fault string

const (
	// paused stops the process at its next request or reply. Its clock goes on.
	paused fault = "paused"
	// noAPI keeps it from the API server.
	noAPI fault = "cut off from the API server"
	// noMarket keeps it from the marketplace.
	noMarket fault = "cut off from the marketplace"
	// stale keeps its caches as they are.
	stale fault = "stale"
)

func newProcess(e *env, name string) *process {
	return &process{env: e, name: name, until: map[fault]time.Time{}}
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

// addFault begins a fault. It never shortens an earlier one of the kind.
func (p *process) addFault(what fault, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.until[what]) {
		p.until[what] = until
	}
}

// faultLeft is how long the longest of these faults still lasts; 0 when there is none.
func (p *process) faultLeft(of ...fault) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var longest time.Duration
	for _, what := range of {
		longest = max(longest, time.Until(p.until[what]))
	}
	return longest
}

// waitWhilePaused waits while the process is paused.
func (p *process) waitWhilePaused(ctx context.Context) {
	ctx = context.WithoutCancel(ctx) // a process that stands still sees no deadline pass
	for wait := p.faultLeft(paused); wait > 0 && !p.isDead(); wait = p.faultLeft(paused) {
		_ = p.sleep(ctx, wait)
	}
}

// send takes a request to a server. An error says why it never arrives.
func (p *process) send(ctx context.Context, l random, no fault) error {
	p.waitWhilePaused(ctx)
	switch wait := p.faultLeft(no); {
	case p.isDead():
		return errDead
	case wait > 0:
		if err := p.sleep(ctx, min(wait, l.between(time.Millisecond, 3*time.Second))); err != nil {
			return err
		}
		return errNoRoute
	}
	if err := p.sleep(ctx, l.between(200*time.Microsecond, 5*time.Millisecond)); err != nil {
		return err
	}
	if p.isDead() {
		return errDead
	}
	return nil
}

// receive takes a reply back.
func (p *process) receive(ctx context.Context, l random) error {
	if err := p.sleep(ctx, l.between(200*time.Microsecond, 5*time.Millisecond)); err != nil {
		return err
	}
	p.waitWhilePaused(ctx)
	if p.isDead() {
		return errDead
	}
	// An answer that lay there while the process stood still may be read before the deadline is noticed, or not.
	if l.chance(0.5) {
		return ctx.Err()
	}
	return nil
}

// request is one request to the API server.
func (p *process) request(ctx context.Context, verb, name string, effect func() error) error {
	l := p.randoms.of(p.name, verb+" "+name)
	if err := p.send(ctx, l, noAPI); err != nil {
		return err
	}
	writes := verb != "get" && verb != "list" && verb != "watch"
	fails := p.flaky(l)
	if fails && l.chance(0.5) {
		_ = p.sleep(ctx, l.between(time.Millisecond, time.Second))
		return errNoAnswer
	}
	err := effect()
	if fails && writes && err == nil {
		p.note(p.name, "gets no answer to %s of %s", verb, name)
		_ = p.sleep(ctx, l.between(time.Millisecond, time.Second))
		return errNoAnswer
	}
	if late := p.receive(ctx, l); late != nil {
		return late
	}
	return err
}
