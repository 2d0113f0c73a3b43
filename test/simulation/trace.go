package simulation

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// trace is what happened, for people, and the first broken promise.
type trace struct {
	begun time.Time

	mu     sync.Mutex
	events []event
	broken string
}

type event struct {
	at        time.Duration
	who, what string
	args      []any
}

// note adds an event. The arguments are formatted only when read, so they must not change.
func (t *trace) note(who, what string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, event{time.Since(t.begun), who, what, args})
}

// violate notes a broken promise. The first one counts.
func (t *trace) violate(promise, what string, args ...any) {
	text := promise + ": " + fmt.Sprintf(what, args...)
	t.note("CHECK", "%s", text)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broken == "" {
		t.broken = text
	}
}

func (t *trace) violation() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.broken
}

func (t *trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	for _, e := range t.events {
		fmt.Fprintf(&b, "%14.6fs %-8s %s\n", e.at.Seconds(), e.who, fmt.Sprintf(e.what, e.args...))
	}
	return b.String()
}
