package ownership

import (
	"context"
	"slices"
	"sync"

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

// Run keeps the heartbeat and watches the other replicas' until the context is done; then it deletes its own heartbeat
// Lease, so that the others need not wait for it to expire. It blocks. End it only after the last call to a marketplace
// has ended: from then on nothing is authorised.
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
	running.Go(func() { m.own.run(ctx) })
	m.follow(ctx)
	running.Wait()
	m.mu.Lock()
	m.live = nil
	m.mu.Unlock()
	m.own.stop(context.WithoutCancel(ctx))
	return nil
}

// follow refreshes the live set after each event, and when a window ends.
func (m *Members) follow(ctx context.Context) {
	for {
		again, dead, notify := m.refresh()
		for _, f := range notify {
			f()
		}
		for _, lease := range dead {
			m.deleteDead(ctx, lease)
		}
		timer := m.clock.NewTimer(again)
		select {
		case <-timer.C():
		case <-m.changed:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// deleteDead deletes a dead heartbeat in the version that was watched. A later refresh tries again after a failure.
func (m *Members) deleteDead(ctx context.Context, lease *coordinationv1.Lease) {
	ctx, cancel := context.WithTimeout(ctx, m.own.callTimeout())
	defer cancel()
	err := m.own.leases.Leases(m.own.namespace).Delete(ctx, lease.Name, exactly(lease))
	if err != nil && !apierrors.IsNotFound(err) {
		m.log.V(1).Info("Could not delete the heartbeat of a dead replica", "lease", lease.Name, "reason", err.Error())
		return
	}
	m.log.Info("Deleted the heartbeat of a dead replica", "lease", lease.Name, "holder", HolderOf(lease))
}

func (m *Members) informer(ctx context.Context) cache.Controller {
	selector := onebidv1.LabelLease + "=" + onebidv1.LeaseKindHeartbeat
	leases := m.own.leases.Leases(m.own.namespace)
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
		}, m.own.leases),
		ObjectType: &coordinationv1.Lease{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    m.onHeartbeat,
			UpdateFunc: func(_, lease any) { m.onHeartbeat(lease) },
			DeleteFunc: m.onDelete,
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

// peer is the heartbeat Lease of another replica, or nil.
func (m *Members) peer(object any) *coordinationv1.Lease {
	if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = last.Obj
	}
	if lease, ok := object.(*coordinationv1.Lease); ok && lease.Name != m.own.name {
		return lease
	}
	return nil
}

func (m *Members) onHeartbeat(object any) {
	lease := m.peer(object)
	if lease == nil {
		return
	}
	m.liveness.observe(m.ref(lease.Name), lease)
	m.mu.Lock()
	_, known := m.peers[lease.Name]
	m.peers[lease.Name] = lease
	alive := known && slices.Contains(m.live, HolderOf(lease))
	m.mu.Unlock()
	// The common case, another heartbeat of a replica that is alive, only makes its window end later.
	if !alive {
		m.wake()
	}
}

func (m *Members) onDelete(object any) {
	lease := m.peer(object)
	if lease == nil {
		return
	}
	m.mu.Lock()
	delete(m.peers, lease.Name)
	m.mu.Unlock()
	m.liveness.observe(m.ref(lease.Name), nil)
	m.wake()
}
