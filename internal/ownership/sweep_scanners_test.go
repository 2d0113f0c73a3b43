package ownership

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	clocktesting "k8s.io/utils/clock/testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// A scanner's Lease is judged by what one sweeper saw, at each of its sweeps, and never by the times that stand in it.
func TestAbandonedLeases(t *testing.T) {
	const retention = time.Hour
	held := func(holder string, edits ...func(*coordinationv1.Lease)) *coordinationv1.Lease {
		lease := heldBy(holder, "")
		lease.Namespace, lease.UID, lease.ResourceVersion = namespace, "uid", "1"
		for _, edit := range edits {
			edit(lease)
		}
		return lease
	}
	const dead = "scanner/pod_1"
	old := Tombstone{EndedAt: epochStart.Add(-2 * time.Hour), CooldownUntil: epochStart.Add(-time.Hour)}
	recent := Tombstone{EndedAt: epochStart.Add(-time.Minute), CooldownUntil: epochStart.Add(time.Minute)}
	renewed := func(lease *coordinationv1.Lease) { lease.ResourceVersion = "2" }
	anew := func(lease *coordinationv1.Lease) { lease.UID = "another" }
	noted := func(name string) func(*coordinationv1.Lease) {
		return func(lease *coordinationv1.Lease) { lease.Annotations[name] = "x" }
	}
	ending := func(t Tombstone) func(*coordinationv1.Lease) {
		return func(lease *coordinationv1.Lease) { lease.Annotations = t.Format() }
	}
	// The Lease lasts for a minute, and the margin is another.
	const long, short = 2*time.Minute + 1, 2 * time.Minute
	for _, c := range []struct {
		why    string
		before *coordinationv1.Lease
		later  *coordinationv1.Lease
		after  time.Duration
		want   bool
	}{
		{"its scanner died", held(dead), held(dead), long, true},
		{"it may live", held(dead), held(dead), short, false},
		{"it was renewed", held(dead), held(dead, renewed), long, false},
		{"it was deleted and created", held(dead), held(dead, anew), long, false},
		{"it was not there before", nil, held(dead), long, false},
		{"a controller has it", held("controller/pod_1"), held("controller/pod_1"), long, false},
		{"another process has it", held("pod_1"), held("pod_1"), long, false},
		{"it has no holder", held(""), held(""), long, false},
		{"a Bid claimed it", held(dead, noted(onebidv1.AnnotationBidUID)), held(dead, noted(onebidv1.AnnotationBidUID)), long, false},
		{"a call is open", held(dead, noted(onebidv1.AnnotationIntent)), held(dead, noted(onebidv1.AnnotationIntent)), long, false},
		{"it still tells how a bid ended", held(dead, ending(recent)), held(dead, ending(recent)), long, false},
		{"it has told that for long enough", held(dead, ending(old)), held(dead, ending(old)), long, true},
	} {
		g := NewWithT(t)
		clk := clocktesting.NewFakeClock(epochStart)
		s := &Sweeper{Clock: clk, Wall: clocktesting.NewFakeClock(epochStart), Retention: retention}
		var first []*coordinationv1.Lease
		if c.before != nil {
			first = append(first, c.before)
		}
		g.Expect(s.unneeded(first)).To(BeEmpty(), c.why)
		clk.Step(c.after)
		g.Expect(s.unneeded([]*coordinationv1.Lease{c.later})).To(HaveLen(map[bool]int{true: 1}[c.want]), c.why)
	}

	// What was away in between is forgotten, so the memory does not grow.
	g := NewWithT(t)
	clk := clocktesting.NewFakeClock(epochStart)
	s := &Sweeper{Clock: clk, Wall: clocktesting.NewFakeClock(epochStart), Retention: retention}
	for _, leases := range [][]*coordinationv1.Lease{{held(dead)}, nil, {held(dead)}} {
		g.Expect(s.unneeded(leases)).To(BeEmpty())
		g.Expect(s.scanners).To(HaveLen(len(leases)))
		clk.Step(time.Hour)
	}
}

func TestSweeperDeletesWhatScannersLeft(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"bid-lock.m.dead", "bid-lock.m.alive", "another-projects"} {
		w.api.Edit(namespace+"/"+name, func(l *coordinationv1.Lease) {
			*l = *heldBy("scanner/pod_1", "")
			l.Namespace, l.Name, l.UID = namespace, name, "uid"
		})
	}
	s := &Sweeper{
		Leases: w.api, Clock: w.clock, Wall: w.clock, Log: logr.Discard(),
		List: func(context.Context) ([]*coordinationv1.Lease, error) {
			return []*coordinationv1.Lease{
				w.api.Lease(namespace + "/bid-lock.m.dead"), w.api.Lease(namespace + "/bid-lock.m.alive"),
				w.api.Lease(namespace + "/another-projects"),
			}, nil
		},
		Owns: func(string) bool { return true }, Interval: 5 * time.Minute, Pause: time.Second,
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Start(ctx) }()
	sweep := func() []string {
		w.Helper()
		w.until(w.clock.HasWaiters)
		w.clock.Step(s.Interval)
		w.until(w.clock.HasWaiters)
		return w.api.Requests()
	}
	w.Expect(sweep()).To(BeEmpty(), "this is the first that it sees of them")
	w.api.Edit(namespace+"/bid-lock.m.alive", func(l *coordinationv1.Lease) { touch(l, w.clock.Now()) })
	w.Expect(sweep()).To(Equal([]string{"delete"}))
	w.Expect(w.api.Lease(namespace + "/bid-lock.m.dead")).To(BeNil())
	w.Expect(w.api.Lease(namespace + "/bid-lock.m.alive")).NotTo(BeNil())
	w.Expect(w.api.Lease(namespace + "/another-projects")).NotTo(BeNil())
	cancel()
	w.Expect(<-ended).To(Succeed())
}
