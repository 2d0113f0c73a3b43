package ownership

import (
	"context"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/clock"
)

// pulses are what this process has observed of heartbeat Leases, known by "<namespace>/<name>".
type pulses struct {
	leases coordinationv1client.LeasesGetter
	clock  clock.PassiveClock
	timing Timing
	seen   *Observer
}

func newPulses(leases coordinationv1client.LeasesGetter, timing Timing, clk clock.PassiveClock, limit int) *pulses {
	return &pulses{leases: leases, clock: clk, timing: timing, seen: NewObserver(limit)}
}

// note records that the heartbeat was found in this version, or not at all (nil), and returns when its observation
// window ends.
func (p *pulses) note(ref string, lease *coordinationv1.Lease) (until time.Time) {
	record := RecordOf(lease)
	return p.end(record, p.seen.See(ref, record, p.clock.Now()))
}

// end is when the window of a record ends. A heartbeat Lease that is missing has one as well: its owner may be about to
// write it, and an observer whose cache is behind sees none.
func (p *pulses) end(record Record, since time.Time) time.Time {
	if record.UID == "" {
		return since.Add(p.timing.Heartbeat)
	}
	return since.Add(record.Duration)
}

// pulse returns what is known of a heartbeat. One that was never looked at has no window, so that Decide asks for a look.
func (p *pulses) pulse(ref string) Pulse {
	record, since, known := p.seen.Since(ref)
	if !known {
		return Pulse{Readable: true}
	}
	return Pulse{Readable: true, Until: p.end(record, since)}
}

// ConfirmDead reads the heartbeat live: dead means that at the end of its window it was still as it was at the beginning. A
// read that was sent before the end, or that shows anything new, proves nothing and starts a window. One request.
func (p *pulses) ConfirmDead(ctx context.Context, ref string) (dead bool, err error) {
	namespace, name, _ := strings.Cut(ref, "/")
	sent := p.clock.Now()
	lease, err := p.leases.Leases(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		lease = nil
	case err != nil:
		return false, err
	}
	return !sent.Before(p.note(ref, lease)), nil
}
