package audit

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace/account"
)

// memory is what this process remembers of a Marketplace. Only the worker that reconciles the Marketplace uses it.
type memory struct {
	begun bool
	// next audit.
	next time.Time
	// again is true when the next audit is due, whatever next says.
	again bool
	// requested is the value of the annotation reconcile-requested-at that was handled last.
	requested string
	// reported are the orphans that stayed after the last audit, by remote ID, and whether an event was written.
	reported map[string]bool

	// cases are open: they wait for the second look.
	cases []*finding
	// secondLook is when that is due.
	secondLook time.Time
	// conn was asked at the first look. What another account or site says is not about the same.
	conn *account.Account
	// staying becomes reported after the second look.
	staying map[string]bool
}

// begin sets the first audit of a process at a random point of the interval, so that a restart does not ask all
// marketplaces at once.
func (m *memory) begin(mkt *onebidv1.Marketplace, now time.Time, jitter float64) {
	m.begun, m.requested = true, mkt.Annotations[onebidv1.AnnotationReconcileRequestedAt]
	m.next = now.Add(time.Duration(jitter * float64(interval(mkt))))
}

// claims are the names of the Leases that open cases hold.
func (m *memory) claims() map[string]bool {
	out := map[string]bool{}
	for _, f := range m.cases {
		if f.claim != nil {
			out[f.claim.Name] = true
		}
	}
	return out
}

func interval(mkt *onebidv1.Marketplace) time.Duration {
	return time.Duration(mkt.Spec.AuditIntervalSeconds) * time.Second
}

// step is what a Reconcile does.
type step int

const (
	stepWait step = iota
	stepFirstLook
	stepSecondLook
	// stepRelease gives up the open cases.
	stepRelease
)

// facts that a step is decided on.
type facts struct {
	now time.Time
	// requested is the annotation's value now.
	requested string
	// conn is nil while there is no connection.
	conn *account.Account
	// deniedUntil is until when the account's calls are held back.
	deniedUntil time.Time
}

// decide is the step to take now, and how long stepWait waits; 0 is until something changes.
func (m *memory) decide(f facts) (step, time.Duration) {
	due, then := m.next, stepFirstLook
	switch {
	case len(m.cases) > 0 && f.conn != m.conn:
		return stepRelease, 0
	case f.conn == nil:
		return stepWait, 0 // a new connection brings it back
	case len(m.cases) > 0:
		due, then = m.secondLook, stepSecondLook
	case m.again, f.requested != m.requested:
		due = f.now
	}
	if f.deniedUntil.After(due) {
		due = f.deniedUntil
	}
	if due.After(f.now) {
		return stepWait, due.Sub(f.now)
	}
	return then, 0
}

// memories by Marketplace. They are safe for concurrent use.
type memories struct {
	mu sync.Mutex
	by map[types.NamespacedName]*memory
}

func newMemories() *memories { return &memories{by: map[types.NamespacedName]*memory{}} }

func (ms *memories) get(key types.NamespacedName) *memory {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	m := ms.by[key]
	if m == nil {
		m = &memory{}
		ms.by[key] = m
	}
	return m
}

func (ms *memories) forget(key types.NamespacedName) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	delete(ms.by, key)
}

// sooner is the shorter of two waits, of which 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
