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

// process is one life of a replica. All that it does to the world goes through here: a process that is dead does nothing,
// one that is paused does it later, one that is cut off gets errors.
type process struct {
	w    *world
	name string

	mu    sync.Mutex
	dead  bool
	until map[trouble]time.Time
}

// trouble of one process, for a while.
type trouble string

const (
	// paused stops the process where it next asks for something or is told something. Its clock goes on.
	paused trouble = "paused"
	// noAPI keeps it from the API server.
	noAPI trouble = "cut off from the API server"
	// noMarket keeps it from the marketplace.
	noMarket trouble = "cut off from the marketplace"
	// stale keeps its caches as they are.
	stale trouble = "stale"
)

func newProcess(w *world, name string) *process {
	return &process{w: w, name: name, until: map[trouble]time.Time{}}
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

// suffer begins trouble. It never makes an earlier one of the kind shorter.
func (p *process) suffer(what trouble, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.until[what]) {
		p.until[what] = until
	}
}

// left is how long the longest of these troubles lasts from now; 0 when there is none.
func (p *process) left(of ...trouble) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var longest time.Duration
	for _, what := range of {
		longest = max(longest, time.Until(p.until[what]))
	}
	return longest
}

// stand waits while the process is paused.
func (p *process) stand(ctx context.Context) {
	ctx = context.WithoutCancel(ctx) // a process that stands still sees no deadline pass
	for wait := p.left(paused); wait > 0 && !p.isDead(); wait = p.left(paused) {
		_ = p.w.sleep(ctx, wait)
	}
}

// depart is the way of a request to a server: the time it takes, or why it never gets there.
func (p *process) depart(ctx context.Context, l luck, no trouble) error {
	p.stand(ctx)
	switch wait := p.left(no); {
	case p.isDead():
		return errDead
	case wait > 0:
		if err := p.w.sleep(ctx, min(wait, l.between(time.Millisecond, 3*time.Second))); err != nil {
			return err
		}
		return errNoRoute
	}
	if err := p.w.sleep(ctx, l.between(200*time.Microsecond, 5*time.Millisecond)); err != nil {
		return err
	}
	if p.isDead() {
		return errDead
	}
	return nil
}

// arrive is the way of an answer back.
func (p *process) arrive(ctx context.Context, l luck) error {
	if err := p.w.sleep(ctx, l.between(200*time.Microsecond, 5*time.Millisecond)); err != nil {
		return err
	}
	p.stand(ctx)
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
	l := p.w.fortune.of(p.name, verb+" "+name)
	if err := p.depart(ctx, l, noAPI); err != nil {
		return err
	}
	writes := verb != "get" && verb != "list" && verb != "watch"
	fault := p.w.flaky(l)
	if fault && l.chance(0.5) {
		_ = p.w.sleep(ctx, l.between(time.Millisecond, time.Second))
		return errNoAnswer
	}
	err := effect()
	if fault && writes && err == nil {
		p.w.note(p.name, "gets no answer to %s of %s", verb, name)
		_ = p.w.sleep(ctx, l.between(time.Millisecond, time.Second))
		return errNoAnswer
	}
	if late := p.arrive(ctx, l); late != nil {
		return late
	}
	return err
}
