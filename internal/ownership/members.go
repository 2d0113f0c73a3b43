package ownership

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/clock"
)

const (
	// buryAfter is how long a heartbeat must have been dead before its Lease is deleted: long enough for a person to
	// see which replica died.
	buryAfter = 10 * time.Minute
	// buryRetry is when to look again at a heartbeat that should have been deleted.
	buryRetry = time.Minute
	// maxMembers bounds the memory of heartbeats; a fleet of replicas is smaller by far.
	maxMembers = 1024
)

// Members keeps this replica's heartbeat and knows those of the others. One heartbeat Lease per replica stands for all
// the postings that the replica holds, so a posting costs no renewal.
//
// Give it a client without a rate limit of its own: a heartbeat that queues behind other requests is a lapse.
type Members struct {
	leases    coordinationv1client.LeasesGetter
	namespace string
	name      string
	me        Identity
	timing    Timing
	clock     clock.Clock
	log       logr.Logger
	pulses    *pulses
	own       *coordinationv1.Lease // of the goroutine that beats
	poke      chan struct{}

	mu          sync.Mutex
	until       time.Time
	epoch       uint64
	synced      bool
	peers       map[string]*coordinationv1.Lease // by name, without this replica's
	live        []string
	subscribers []func()
}

// NewMembers returns the Members of the replicas whose heartbeats are in the namespace. It does no I/O; Run does.
func NewMembers(
	leases coordinationv1client.LeasesGetter, namespace string, me Identity, timing Timing, clk clock.Clock, log logr.Logger,
) *Members {
	return &Members{
		leases:    leases,
		namespace: namespace,
		name:      me.HeartbeatName(),
		me:        me,
		timing:    timing,
		clock:     clk,
		log:       log,
		pulses:    newPulses(leases, timing, clk, maxMembers),
		poke:      make(chan struct{}, 1),
		peers:     map[string]*coordinationv1.Lease{},
	}
}

// HeartbeatRef is "<namespace>/<name>" of this replica's heartbeat Lease.
func (m *Members) HeartbeatRef() string { return m.ref(m.name) }

func (m *Members) ref(name string) string { return lockName(m.namespace, name) }

// Validity returns until when this replica's heartbeat is good, on its own clock: the heartbeat's duration, counted from
// before the last acknowledged renewal was sent. The epoch rises whenever validity had lapsed, by the margin, and came
// back; what was claimed in an earlier epoch must be asserted again. Before the first heartbeat both are zero. No request.
func (m *Members) Validity() (until time.Time, epoch uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.until, m.epoch
}

// Ready returns an error while this replica may not act: its heartbeat is not acknowledged, or it does not yet know the
// others. No request; use it for readiness.
func (m *Members) Ready() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.synced:
		return errors.New("the heartbeats of the other replicas are not known yet")
	case m.clock.Now().After(m.until.Add(-m.timing.Margin)):
		return errors.New("this replica's heartbeat is not acknowledged by the API server")
	}
	return nil
}

// Live returns the identities of the replicas that are alive by observation, this one among them, sorted. It is empty
// until this replica has a heartbeat and knows the others. No request.
func (m *Members) Live() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.live)
}

// Owns reports whether this replica is the one to act first on the key. It only divides the work; the Lease decides. No
// request.
func (m *Members) Owns(key string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Rendezvous(m.live, key) == m.me.String()
}

// Alive reports whether a heartbeat, "<namespace>/<name>", was seen to change recently enough, and until when that is so
// without another change. No request. That it is not alive must be confirmed by ConfirmDead before it matters.
func (m *Members) Alive(ref string) (alive bool, until time.Time) {
	pulse := m.pulse(ref)
	return pulse.Readable && m.clock.Now().Before(pulse.Until), pulse.Until
}

// pulse is what Decide needs. Heartbeats in other namespaces are not watched, so they are not judged.
func (m *Members) pulse(ref string) Pulse {
	m.mu.Lock()
	defer m.mu.Unlock()
	name, ours := strings.CutPrefix(ref, m.namespace+"/")
	if !ours || !m.synced {
		return Pulse{}
	}
	if m.peers[name] == nil {
		// Missing since this moment, unless it was found missing before.
		if record, _, known := m.pulses.seen.Since(ref); !known || record.UID == "" {
			return Pulse{Readable: true, Until: m.pulses.note(ref, nil)}
		}
	}
	return m.pulses.pulse(ref)
}

// ConfirmDead reads a heartbeat live and reports whether it is dead: unchanged, or missing, since the beginning of an
// observation window that is over. One request; the error is the API server's, and means "not dead".
func (m *Members) ConfirmDead(ctx context.Context, ref string) (bool, error) {
	dead, err := m.pulses.ConfirmDead(ctx, ref)
	m.wake()
	return dead, err
}

// Subscribe calls the function whenever the live set changes or this replica's heartbeat came back after a lapse. It is
// called by Run's goroutine and must not block.
func (m *Members) Subscribe(changed func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subscribers = append(m.subscribers, changed)
}

func (m *Members) wake() {
	select {
	case m.poke <- struct{}{}:
	default:
	}
}

// refresh works out who is alive. It returns when that may change without any event, the heartbeats that this replica
// should delete, and whom to tell of a change.
func (m *Members) refresh() (again time.Duration, dead []*coordinationv1.Lease, tell []func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.synced || m.epoch == 0 {
		return m.timing.Heartbeat, nil, nil
	}
	now := m.clock.Now()
	next := now.Add(buryRetry)
	live := map[string]bool{m.me.String(): true}
	for name, lease := range m.peers {
		until := m.pulses.pulse(m.ref(name)).Until
		if now.Before(until) {
			live[HolderOf(lease)] = true
			next = earlier(next, until)
			continue
		}
		if burial := until.Add(buryAfter); now.Before(burial) {
			next = earlier(next, burial)
		} else {
			dead = append(dead, lease)
		}
	}
	members := slices.Sorted(maps.Keys(live))
	if !slices.Equal(members, m.live) {
		m.log.Info("The set of live replicas changed", "live", members)
		m.live, tell = members, slices.Clone(m.subscribers)
	}
	dead = slices.DeleteFunc(dead, func(lease *coordinationv1.Lease) bool {
		return Rendezvous(m.live, lease.Name) != m.me.String()
	})
	return next.Sub(now), dead, tell
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
