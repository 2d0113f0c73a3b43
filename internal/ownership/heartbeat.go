package ownership

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// heartbeat renews this replica's heartbeat Lease, and knows until when it is valid.
type heartbeat struct {
	leases    coordinationv1client.LeasesGetter
	namespace string
	name      string
	me        Identity
	timing    Timing
	clock     clock.Clock
	log       logr.Logger
	// valid is called when the heartbeat became valid: first is false after a lapse.
	valid func(first bool)

	lease *coordinationv1.Lease // as last written; used by the goroutine of run only

	mu sync.Mutex
	// until is the end of validity on this replica's clock: the heartbeat's duration, counted from before the last
	// acknowledged renewal was sent. Zero before the first.
	until time.Time
	// epoch rises whenever validity had lapsed, by the margin, and came back.
	epoch uint64
}

// ref is "<namespace>/<name>".
func (h *heartbeat) ref() string { return refOf(h.namespace, h.name) }

// current returns the present epoch, and a *LapsedError while no call may start. No request.
func (h *heartbeat) current() (epoch uint64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lapsed() {
		err = &LapsedError{Reason: "this replica's heartbeat is not acknowledged by the API server"}
	}
	return h.epoch, err
}

// lapsed needs mu.
func (h *heartbeat) lapsed() bool { return h.clock.Now().After(h.until.Add(-h.timing.Margin)) }

// callTimeout ends a renewal that hangs while there is still time for another one.
func (h *heartbeat) callTimeout() time.Duration { return (h.timing.Heartbeat - h.timing.Margin) / 2 }

// run renews on time, and sooner after a failure, until the context is done.
func (h *heartbeat) run(ctx context.Context) {
	for {
		started := h.clock.Now()
		wait := h.timing.Renew
		if err := h.renew(ctx); err != nil {
			h.log.Info("The heartbeat was not acknowledged", "reason", err.Error())
			wait /= 3
		}
		timer := h.clock.NewTimer(max(wait-h.clock.Since(started), h.timing.Renew/3))
		select {
		case <-timer.C():
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// renew writes the heartbeat. After a conflict or a lost reply it goes on from the live version at once.
func (h *heartbeat) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, h.callTimeout())
	defer cancel()
	for round := 0; ; round++ {
		sent := h.clock.Now()
		lease, err := h.write(ctx)
		if err == nil {
			h.lease = lease
			h.acknowledged(sent)
			return nil
		}
		if !leaseChanged(err) || round == maxRounds {
			return err
		}
		live, err := getIfAny(ctx, h.leases.Leases(h.namespace), h.name)
		if err != nil {
			return err
		}
		h.lease = live
	}
}

func (h *heartbeat) write(ctx context.Context) (*coordinationv1.Lease, error) {
	leases, lease := h.leases.Leases(h.namespace), h.lease.DeepCopy()
	if lease == nil {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: h.name}}
	}
	metav1.SetMetaDataLabel(&lease.ObjectMeta, onebidv1.LabelLease, onebidv1.LeaseKindHeartbeat)
	lease.Spec.HolderIdentity = ptr.To(h.me.String())
	lease.Spec.LeaseDurationSeconds = ptr.To(wholeSeconds(h.timing.Heartbeat))
	touch(lease, h.clock.Now())
	if h.lease == nil {
		return leases.Create(ctx, lease, metav1.CreateOptions{})
	}
	return leases.Update(ctx, lease, metav1.UpdateOptions{})
}

// acknowledged extends validity. It counts from before the renewal was sent: other replicas may see the write at any
// moment after that. When the reply came within the margin, one of them may have judged this replica dead meanwhile.
func (h *heartbeat) acknowledged(sent time.Time) {
	h.mu.Lock()
	lapsed := h.lapsed()
	h.until = sent.Add(h.timing.Heartbeat)
	if lapsed {
		h.epoch++
	}
	epoch := h.epoch
	h.mu.Unlock()
	if lapsed {
		h.valid(epoch == 1)
	}
}

// stop ends validity and deletes the heartbeat Lease. If that fails the other replicas see it expire.
func (h *heartbeat) stop(ctx context.Context) {
	h.mu.Lock()
	h.until = time.Time{}
	h.mu.Unlock()
	if h.lease == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, h.callTimeout())
	defer cancel()
	err := h.leases.Leases(h.namespace).Delete(ctx, h.name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &h.lease.UID},
	})
	if err != nil {
		h.log.V(1).Info("Could not delete this replica's heartbeat", "reason", err.Error())
	}
}
