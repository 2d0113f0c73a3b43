package ownership

import (
	"context"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Run keeps the heartbeat and watches the others until the context is done; then it deletes its own heartbeat Lease, so
// that others need not wait for it to expire. It blocks. End it only after the last call to a marketplace has ended:
// from then on nothing is authorised.
//
// Requests: an update every Timing.Renew, one watch, and now and then a delete of a heartbeat that died long ago.
func (m *Members) Run(ctx context.Context) error {
	var running sync.WaitGroup
	informer := m.informer(ctx)
	running.Go(func() { informer.RunWithContext(ctx) })
	running.Go(func() {
		select {
		case <-informer.HasSyncedChecker().Done():
			m.setSynced()
		case <-ctx.Done():
		}
	})
	running.Go(func() { m.beatAlways(ctx) })
	m.follow(ctx)
	running.Wait()
	m.retire(context.WithoutCancel(ctx))
	return nil
}

// follow refreshes the live set whenever something happened or somebody's window ended.
func (m *Members) follow(ctx context.Context) {
	for {
		again, dead, tell := m.refresh()
		for _, notify := range tell {
			notify()
		}
		for _, lease := range dead {
			m.bury(ctx, lease)
		}
		timer := m.clock.NewTimer(again)
		select {
		case <-timer.C():
		case <-m.poke:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// bury deletes a dead heartbeat, in the version that was watched. A failure is tried again by a later refresh.
func (m *Members) bury(ctx context.Context, lease *coordinationv1.Lease) {
	ctx, cancel := context.WithTimeout(ctx, m.callTimeout())
	defer cancel()
	err := m.leases.Leases(m.namespace).Delete(ctx, lease.Name, exactly(lease))
	if err != nil && !apierrors.IsNotFound(err) {
		m.log.V(1).Info("Could not delete the heartbeat of a dead replica", "lease", lease.Name, "reason", err.Error())
		return
	}
	m.log.Info("Deleted the heartbeat of a dead replica", "lease", lease.Name, "holder", HolderOf(lease))
}

func (m *Members) informer(ctx context.Context) cache.Controller {
	selector := onebidv1.LabelLease + "=" + onebidv1.LeaseKindHeartbeat
	leases := m.leases.Leases(m.namespace)
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		Logger: ptr.To(klog.FromContext(ctx)),
		ListerWatcher: cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				options.LabelSelector = selector
				return leases.List(ctx, options)
			},
			WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
				options.LabelSelector = selector
				return leases.Watch(ctx, options)
			},
		}, m.leases),
		ObjectType: &coordinationv1.Lease{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    m.onBeat,
			UpdateFunc: func(_, lease any) { m.onBeat(lease) },
			DeleteFunc: m.onGone,
		},
	})
	return informer
}

func (m *Members) setSynced() {
	m.mu.Lock()
	m.synced = true
	m.mu.Unlock()
	m.wake()
}

func (m *Members) onBeat(object any) {
	lease, ok := object.(*coordinationv1.Lease)
	if !ok || lease.Name == m.name {
		return
	}
	m.pulses.note(m.ref(lease.Name), lease)
	m.mu.Lock()
	_, known := m.peers[lease.Name]
	m.peers[lease.Name] = lease
	alive := known && slices.Contains(m.live, HolderOf(lease))
	m.mu.Unlock()
	// The common case, one more beat of a replica that is alive, changes nothing but a window that ends later.
	if !alive {
		m.wake()
	}
}

func (m *Members) onGone(object any) {
	if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = last.Obj
	}
	lease, ok := object.(*coordinationv1.Lease)
	if !ok || lease.Name == m.name {
		return
	}
	m.mu.Lock()
	delete(m.peers, lease.Name)
	m.mu.Unlock()
	m.pulses.note(m.ref(lease.Name), nil)
	m.wake()
}

// callTimeout ends a renewal that hangs while there is still time for another one.
func (m *Members) callTimeout() time.Duration { return (m.timing.Heartbeat - m.timing.Margin) / 2 }

// beatAlways renews on time, and sooner after a failure.
func (m *Members) beatAlways(ctx context.Context) {
	for {
		started := m.clock.Now()
		wait := m.timing.Renew
		if err := m.beat(ctx); err != nil {
			m.log.Info("The heartbeat was not acknowledged", "reason", err.Error())
			wait /= 3
		}
		timer := m.clock.NewTimer(max(wait-m.clock.Since(started), m.timing.Renew/3))
		select {
		case <-timer.C():
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// beat writes the heartbeat. After a conflict or a lost reply it goes on from the live version at once.
func (m *Members) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, m.callTimeout())
	defer cancel()
	for round := 0; ; round++ {
		sent := m.clock.Now()
		lease, err := m.write(ctx, m.own)
		if err == nil {
			m.own = lease
			m.acknowledged(sent)
			return nil
		}
		if !overtaken(err) || round == maxRounds {
			return err
		}
		live, err := m.leases.Leases(m.namespace).Get(ctx, m.name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			m.own = nil
		case err != nil:
			return err
		default:
			m.own = live
		}
	}
}

func (m *Members) write(ctx context.Context, base *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	leases := m.leases.Leases(m.namespace)
	if base == nil {
		return leases.Create(ctx, m.heartbeat(&coordinationv1.Lease{}), metav1.CreateOptions{})
	}
	return leases.Update(ctx, m.heartbeat(base.DeepCopy()), metav1.UpdateOptions{})
}

func (m *Members) heartbeat(lease *coordinationv1.Lease) *coordinationv1.Lease {
	lease.Namespace, lease.Name = m.namespace, m.name
	metav1.SetMetaDataLabel(&lease.ObjectMeta, onebidv1.LabelLease, onebidv1.LeaseKindHeartbeat)
	lease.Spec.HolderIdentity = ptr.To(m.me.String())
	lease.Spec.LeaseDurationSeconds = ptr.To(wholeSeconds(m.timing.Heartbeat))
	touch(lease, m.clock.Now())
	return lease
}

// acknowledged extends validity. It counts from before the renewal was sent: observers may see the write at any moment
// after that. When the reply came after the margin had begun, somebody may have called this replica dead in between.
func (m *Members) acknowledged(sent time.Time) {
	m.mu.Lock()
	lapsed := m.clock.Now().After(m.until.Add(-m.timing.Margin))
	m.until = sent.Add(m.timing.Heartbeat)
	if lapsed {
		m.epoch++
	}
	epoch, tell := m.epoch, m.subscribers
	m.mu.Unlock()
	if !lapsed {
		return
	}
	m.wake()
	if epoch > 1 {
		m.log.Info("The heartbeat is back after a lapse; what this replica held is asserted again before use")
		for _, notify := range tell {
			notify()
		}
	}
}

// retire ends validity and deletes the heartbeat Lease. If that fails others wait for it to expire, nothing more.
func (m *Members) retire(ctx context.Context) {
	m.mu.Lock()
	m.until, m.live = time.Time{}, nil
	m.mu.Unlock()
	if m.own == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, m.callTimeout())
	defer cancel()
	uid := m.own.UID
	err := m.leases.Leases(m.namespace).Delete(ctx, m.name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if err != nil {
		m.log.V(1).Info("Could not delete this replica's heartbeat", "reason", err.Error())
	}
}
