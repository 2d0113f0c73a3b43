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
	// deleteAfter is how long a heartbeat must have been dead before its Lease is deleted: long enough for a person to see
	// which replica died.
	deleteAfter = 10 * time.Minute
	// deleteRetry is when to look again at a heartbeat that should have been deleted.
	deleteRetry = time.Minute
	// maxMembers bounds the memory of heartbeats; a fleet of replicas is smaller by far.
	maxMembers = 1024
)

// Members keeps this replica's heartbeat and knows those of the other replicas. One heartbeat Lease per replica stands
// for all the postings that the replica holds, so a posting costs no renewal.
//
// Give it a client without a rate limit of its own: a heartbeat that queues behind other requests is a lapse.
type Members struct {
	own      *heartbeat
	liveness *liveness
	clock    clock.Clock
	log      logr.Logger
	changed  chan struct{}

	mu          sync.Mutex
	synced      bool
	peers       map[string]*coordinationv1.Lease // by name, without this replica's
	live        []string
	subscribers []func()
}

// NewMembers returns the Members of the replicas whose heartbeats are in the namespace. It does no I/O; Run does.
func NewMembers(
	leases coordinationv1client.LeasesGetter, namespace string, me Identity, timing Timing, clk clock.Clock, log logr.Logger,
) *Members {
	m := &Members{
		liveness: newLiveness(leases, timing, clk, maxMembers),
		clock:    clk,
		log:      log,
		changed:  make(chan struct{}, 1),
		peers:    map[string]*coordinationv1.Lease{},
	}
	m.own = &heartbeat{
		leases: leases, namespace: namespace, name: me.heartbeatName(), me: me, timing: timing, clock: clk, log: log,
		valid: m.heartbeatValid,
	}
	return m
}

// heartbeatValid has claims asserted again after a lapse.
func (m *Members) heartbeatValid(first bool) {
	m.wake()
	if first {
		return
	}
	m.log.Info("The heartbeat is back after a lapse; what this replica held is asserted again before use")
	m.mu.Lock()
	notify := m.subscribers
	m.mu.Unlock()
	for _, f := range notify {
		f()
	}
}

func (m *Members) ref(name string) string { return refOf(m.own.namespace, name) }

// Ready returns an error while this replica may not act: its heartbeat is not acknowledged, or it does not yet know the
// other replicas. No request; use it for readiness.
func (m *Members) Ready() error {
	m.mu.Lock()
	synced := m.synced
	m.mu.Unlock()
	if !synced {
		return errors.New("the heartbeats of the other replicas are not known yet")
	}
	_, err := m.own.current()
	return err
}

// Live returns the identities of the replicas that are alive by observation, this one included, sorted. It is empty
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
	return rendezvous(m.live, key) == m.own.me.String()
}

// Subscribe has the function called whenever the live set changes, and when this replica's heartbeat came back after a
// lapse. The function must not block.
func (m *Members) Subscribe(changed func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subscribers = append(m.subscribers, changed)
}

// state is what decide needs. Heartbeats in other namespaces are not watched, so they are not judged.
func (m *Members) state(ref string) heartbeatState {
	m.mu.Lock()
	defer m.mu.Unlock()
	name, watched := strings.CutPrefix(ref, m.own.namespace+"/")
	if !watched || !m.synced {
		return heartbeatState{}
	}
	state := m.liveness.state(ref)
	if m.peers[name] == nil && state.until.IsZero() {
		// Missing since this moment. What a live read showed before the watch did stays.
		state.until = m.liveness.observe(ref, nil)
	}
	return state
}

// confirmDead is liveness.confirmDead. The live read may have shown a replica that the watch has not.
func (m *Members) confirmDead(ctx context.Context, ref string) (bool, error) {
	dead, err := m.liveness.confirmDead(ctx, ref)
	m.wake()
	return dead, err
}

func (m *Members) wake() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// refresh works out which replicas are alive. It returns when that may change without any event, the heartbeats that
// this replica should delete, and which subscribers to notify.
func (m *Members) refresh() (again time.Duration, dead []*coordinationv1.Lease, notify []func()) {
	epoch, _ := m.own.current()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.synced || epoch == 0 {
		return m.own.timing.Heartbeat, nil, nil
	}
	now := m.clock.Now()
	again = deleteRetry
	live := map[string]bool{m.own.me.String(): true}
	for name, lease := range m.peers {
		until := m.liveness.state(m.ref(name)).until
		deletion := until.Add(deleteAfter)
		switch {
		case now.Before(until):
			live[HolderOf(lease)] = true
			again = min(again, until.Sub(now))
		case now.Before(deletion):
			again = min(again, deletion.Sub(now))
		default:
			dead = append(dead, lease)
		}
	}
	members := slices.Sorted(maps.Keys(live))
	if !slices.Equal(members, m.live) {
		m.log.Info("The set of live replicas changed", "live", members)
		m.live, notify = members, slices.Clone(m.subscribers)
	}
	dead = slices.DeleteFunc(dead, func(lease *coordinationv1.Lease) bool {
		return rendezvous(m.live, lease.Name) != m.own.me.String()
	})
	return again, dead, notify
}
