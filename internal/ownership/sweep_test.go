package ownership

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"go.uber.org/goleak"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
)

func TestSweeperDeletesTombstonesSlowly(t *testing.T) {
	defer goleak.VerifyNone(t)
	w := newWorld(t)
	put := func(name string) *coordinationv1.Lease {
		return w.api.Edit(namespace+"/"+name, func(l *coordinationv1.Lease) {
			*l = *ended(l, lostBid)
			l.Namespace, l.Name = namespace, name
		})
	}
	listed := []*coordinationv1.Lease{
		put("bid-lock.m.1"), put("bid-lock.m.2"), put("bid-lock.m.3"), put("bid-lock.m.4"), put("another-projects"), put("bid-lock.m.other"),
	}
	// Since the list: one was taken, one is gone, and one delete fails.
	w.api.Edit(namespace+"/bid-lock.m.2", func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = ptr.To("scanner/a_1") })
	w.api.Remove(namespace + "/bid-lock.m.3")
	w.api.Fail("delete", apierrors.NewInternalError(errors.New("etcd")))

	lists := make(chan error, 3)
	lists <- errors.New("the cache is not synced")
	lists <- nil
	lists <- nil
	var swept []string
	s := &Sweeper{
		Leases: w.api, Clock: w.clock, Wall: w.clock, Log: logr.Discard(),
		List: func(context.Context) ([]*coordinationv1.Lease, error) { return listed, <-lists },
		Owns: func(key string) bool {
			swept = append(swept, key)
			return key != namespace+"/m.other"
		},
		Retention: 24 * time.Hour, Interval: time.Minute, Pause: time.Second,
	}
	w.Expect(s.NeedLeaderElection()).To(BeFalse())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Start(ctx) }()
	step := func(d time.Duration, deletes int) {
		w.Helper()
		w.clock.Step(d)
		w.until(w.clock.HasWaiters)
		w.Expect(w.api.Requests()).To(HaveLen(deletes))
	}
	w.until(w.clock.HasWaiters)
	step(48*time.Hour, 0) // the list fails
	step(time.Minute, 1)
	for range 3 {
		step(time.Second, 1)
	}
	step(time.Second, 0)
	w.Expect(swept).To(Equal([]string{
		"tenant/m.1", "tenant/m.2", "tenant/m.3", "tenant/m.4", "tenant/m.other",
	}))
	w.Expect(w.api.Lease(namespace + "/bid-lock.m.1")).NotTo(BeNil())
	w.Expect(w.api.Lease(namespace+"/bid-lock.m.2")).NotTo(BeNil(), "it was taken since it was listed")
	w.Expect(w.api.Lease(namespace + "/bid-lock.m.4")).To(BeNil())
	w.Expect(w.api.Lease(namespace + "/bid-lock.m.other")).NotTo(BeNil())
	w.Expect(w.api.Lease(namespace + "/another-projects")).NotTo(BeNil())

	step(time.Minute, 1)
	cancel()
	w.Expect(<-ended).To(Succeed(), "in the middle of a sweep")
}
