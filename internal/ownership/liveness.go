package ownership

import (
	"context"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/clock"
)

// liveness judges heartbeat Leases by what this process has observed of them, by "<namespace>/<name>".
type liveness struct {
	leases    coordinationv1client.LeasesGetter
	clock     clock.PassiveClock
	heartbeat time.Duration
	seen      *observer
}

func newLiveness(leases coordinationv1client.LeasesGetter, timing Timing, clk clock.PassiveClock, limit int) *liveness {
	return &liveness{leases: leases, clock: clk, heartbeat: timing.Heartbeat, seen: newObserver(limit)}
}

// observe notes that the heartbeat was found in this version, or not at all (nil), and returns when its observation
// window ends. A missing heartbeat Lease has a window too: its owner may be about to write it, and the observer's cache
// may be behind.
func (l *liveness) observe(ref string, lease *coordinationv1.Lease) (until time.Time) {
	found := record{duration: l.heartbeat}
	if lease != nil {
		found = recordOf(lease)
	}
	return l.seen.see(ref, found, l.clock.Now()).Add(found.duration)
}

// state returns what is known of a heartbeat. One that was never looked at has no window, so decide asks for a live read.
func (l *liveness) state(ref string) heartbeatState {
	known, ok := l.seen.last(ref)
	if !ok {
		return heartbeatState{readable: true}
	}
	return heartbeatState{readable: true, until: known.since.Add(known.record.duration)}
}

// confirmDead reads the heartbeat live. It is dead when it has not changed from the beginning of its window to the end.
// A read that was sent before the end, or that shows anything new, proves nothing. One request; the error is the API
// server's, and means "not dead".
func (l *liveness) confirmDead(ctx context.Context, ref string) (dead bool, err error) {
	namespace, name, _ := strings.Cut(ref, "/")
	sent := l.clock.Now()
	lease, err := getIfAny(ctx, l.leases.Leases(namespace), name)
	return err == nil && !sent.Before(l.observe(ref, lease)), err
}
