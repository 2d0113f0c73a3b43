package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/process"
)

const pollInterval = 50 * time.Millisecond

// play is the demo once everything runs.
type play struct {
	*stage

	plan     plan
	tracker  *tracker
	fleet    *fleet
	live     *ledgerReader
	progress *progress
	phase    atomic.Value // string

	mu   sync.Mutex
	kill killing
}

// killing is what is known about the manager that was killed.
type killing struct {
	victim *process.Process
	at     moment
	wall   time.Time // by the clock of the ledger, which has no monotonic one
}

// play runs the race, the kill and the withdrawals, and judges them.
func (st *stage) play(ctx context.Context, p *progress) (result, error) {
	ids := postingIDs(st.settings.seed, st.settings.postings)
	pl := &play{stage: st, progress: p, tracker: newTracker(ids)}
	pl.plan = plan{market: st.settings.market, account: account, class: st.settings.class(), postings: ids}
	pl.plan.byDelete, pl.plan.bySpec = withdrawals(st.settings.seed, ids, st.settings.withdraw)
	pl.phase.Store("getting ready")

	// The observers go on until everything was seen.
	observing, stop := context.WithCancel(ctx)
	defer stop()
	if err := watchBids(observing, st.env, st.place.namespace, pl.tracker); err != nil {
		return result{}, err
	}
	pl.live = &ledgerReader{client: st.market.Client, summary: marketsim.NewSummarizer(), calls: openCalls{}}
	go pl.live.follow(observing)
	var err error
	pl.fleet, err = st.launch(pl.tracker.created)
	defer pl.fleet.stop()
	if err != nil {
		return result{}, err
	}
	if err := pl.fleet.ready(ctx); err != nil {
		return result{}, err
	}
	p.say("%d scanners are ready, all with the same %s postings", st.settings.scanners, grouped(st.settings.postings))
	p.begin(pl.status)
	err = pl.acts(ctx)
	pl.live.read(ctx)
	p.end()
	if err != nil {
		return result{}, err
	}
	return pl.judge()
}

// acts run the demo. It fails when a process ends that the demo has not killed.
func (pl *play) acts(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	fail := func(err error) {
		if err != nil {
			cancel(err)
		}
	}
	for _, p := range []*process.Process{pl.market.Process, pl.managers[0].Process, pl.managers[1].Process} {
		go func() { fail(pl.guard(ctx, p)) }()
	}
	pl.phase.Store("racing")
	if err := pl.fleet.race(); err != nil {
		return err
	}
	go func() { fail(pl.each(ctx, pl.plan.bySpec, pl.withdrawBid)) }()
	raced := make(chan struct{})
	var race errgroup.Group
	race.Go(func() error { return pl.killOne(ctx, raced) })
	race.Go(func() error {
		defer close(raced)
		return pl.fleet.await(ctx)
	})
	if err := race.Wait(); err != nil {
		return err
	}
	// Only now: a scanner that came later would create a deleted Bid anew, and rightly so.
	pl.phase.Store("scanners are through; withdrawing and settling")
	go func() { fail(pl.each(ctx, pl.plan.byDelete, pl.deleteBid)) }()
	return pl.settle(ctx)
}

// guard returns an error when the process ends, unless it was the one to be killed.
func (pl *play) guard(ctx context.Context, p *process.Process) error {
	select {
	case <-ctx.Done():
		return nil
	case <-p.Done():
	}
	if pl.killed().victim == p {
		return nil
	}
	return errors.Join(fmt.Errorf("%s ended in the middle of the demo", p.Name), p.Err())
}

// killOne kills a manager when a good part of the bids has been placed and the marketplace is about to answer others, or
// else when the race is over.
func (pl *play) killOne(ctx context.Context, raced <-chan struct{}) error {
	err := process.Await(ctx, pollInterval/5, func(ctx context.Context) error {
		select {
		case <-raced:
			return nil
		default:
		}
		t := pl.tracker.tally()
		placed := t.active + t.withdrawn
		if 5*placed < 2*pl.settings.postings || placed == t.created {
			return errors.New("too early to kill a manager")
		}
		pl.live.read(ctx)
		if pl.live.underWay() == 0 {
			return errors.New("no call is under way")
		}
		return nil
	})
	if err != nil {
		return err
	}
	k := killing{victim: pl.managers[1].Process, wall: time.Now()}
	if k.at, err = now(); err != nil {
		return err
	}
	pl.mu.Lock()
	pl.kill = k
	pl.mu.Unlock()
	k.victim.Kill()
	t := pl.tracker.tally()
	pl.progress.say("killed %s (process %d) with SIGKILL; %s Bids were created and not placed yet",
		k.victim.Name, k.victim.Pid(), grouped(t.created-t.active-t.withdrawn))
	return nil
}

func (pl *play) killed() killing {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	return pl.kill
}

// settle waits until every bid is where it belongs. Running out of time is no error here: the verdict names what is
// missing.
func (pl *play) settle(ctx context.Context) error {
	late := fmt.Errorf("not settled %s after the race", pl.settings.deadline)
	waiting, cancel := context.WithTimeoutCause(ctx, pl.settings.deadline, late)
	defer cancel()
	var missing []broken
	err := process.Await(waiting, 2*pollInterval, func(context.Context) error {
		if missing = pl.plan.missing(pl.tracker.snapshot()); len(missing) > 0 {
			return fmt.Errorf("%s bids to go", grouped(len(missing)))
		}
		return nil
	})
	if errors.Is(err, late) {
		pl.progress.say("%v: %s bids are missing", late, grouped(len(missing)))
		return nil
	}
	pl.phase.Store("settled")
	return err
}

// judge ends the managers and then the marketplace, so that nothing can follow, and reads the ledger.
func (pl *play) judge() (result, error) {
	pl.stopManagers()
	pl.market.Stop(stopGrace)
	ledger, err := marketsim.ReadLedger(pl.market.Ledger)
	if err != nil {
		return result{}, err
	}
	notes, k := pl.tracker.snapshot(), pl.killed()
	r := result{
		settings: pl.settings, scanners: pl.fleet.counts(), killed: k.victim.Name,
		verdict: judge(pl.plan, ledger, notes, k.wall),
		before:  durations(notes, k.at), all: durations(notes, 0),
		elapsed: time.Since(pl.progress.started),
	}
	for _, n := range notes {
		r.created += n.Acks
		if n.Acks > 0 && n.AckedAt < k.at && n.Placed {
			r.recovery = max(r.recovery, n.PlacedAt.since(k.at))
		}
	}
	return r, nil
}

// status is what the screen shows.
func (pl *play) status() status {
	phase, _ := pl.phase.Load().(string)
	s := status{
		phase: phase, scanners: pl.fleet.counts(), bids: pl.tracker.tally(), live: pl.live.live(),
	}
	var alive []string
	for _, m := range pl.managers {
		if !m.Ended() {
			alive = append(alive, m.Name)
		}
	}
	s.managers = strings.Join(alive, " and ") + " alive"
	if k := pl.killed(); k.victim != nil {
		s.managers += fmt.Sprintf(", %s killed %s ago", k.victim.Name, time.Since(k.wall).Round(time.Second))
	}
	return s
}
