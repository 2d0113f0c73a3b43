package simulation

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// heartbeat is one change of a heartbeat Lease.
type heartbeat struct {
	version int64
	event   watch.Event
}

func isHeartbeat(lease *coordinationv1.Lease) bool {
	return lease.Labels[onebidv1.LabelLease] == onebidv1.LeaseKindHeartbeat
}

// putLease holds mu.
func (s *store) putLease(by, ref string, kind watch.EventType, lease *coordinationv1.Lease) {
	if kind == watch.Deleted {
		s.version++
		delete(s.leases, ref)
	} else {
		lease.ResourceVersion = s.nextVersion()
		s.leases[ref] = lease
	}
	if !isHeartbeat(lease) {
		s.writes++
		s.note(by, "%s Lease %s: %s", strings.ToLower(string(kind)), lease.Name, leaseWords{lease})
		return
	}
	if kind != watch.Modified {
		s.note(by, "%s heartbeat %s", strings.ToLower(string(kind)), lease.Name)
	}
	b := heartbeat{s.version, watch.Event{Type: kind, Object: lease}}
	s.heartbeats = append(s.heartbeats, b)
	for _, f := range s.watches {
		f.push(b)
	}
}

func (s *store) createLease(by, ref string, given *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leases[ref] != nil {
		return nil, apierrors.NewAlreadyExists(leaseResource, given.Name)
	}
	lease := given.DeepCopy()
	lease.UID, lease.CreationTimestamp = s.nextUID(), metav1.NewTime(time.Now().Truncate(time.Second))
	wholeMicros(lease)
	s.putLease(by, ref, watch.Added, lease)
	return lease, nil
}

func (s *store) updateLease(by, ref string, given *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.leases[ref]
	if known == nil {
		return nil, apierrors.NewNotFound(leaseResource, given.Name)
	}
	if err := outdated(leaseResource, known, given); err != nil {
		return nil, err
	}
	lease := given.DeepCopy()
	wholeMicros(lease)
	if equality.Semantic.DeepEqual(lease.Spec, known.Spec) && maps.Equal(lease.Annotations, known.Annotations) {
		return known, nil // no change, no version
	}
	s.putLease(by, ref, watch.Modified, lease)
	return lease, nil
}

func (s *store) deleteLease(by, ref, name string, p *metav1.Preconditions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.leases[ref]
	switch {
	case known == nil:
		return apierrors.NewNotFound(leaseResource, name)
	case p != nil && (p.UID != nil && *p.UID != known.UID || p.ResourceVersion != nil && *p.ResourceVersion != known.ResourceVersion):
		return apierrors.NewConflict(leaseResource, name, errVersion)
	}
	s.putLease(by, ref, watch.Deleted, known)
	return nil
}

// lease is nil when there is none.
func (s *store) lease(ref string) *coordinationv1.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leases[ref]
}

// listLeases of a namespace and a kind, by name, and the version of the list.
func (s *store) listLeases(namespace, kind string) (leases []*coordinationv1.Lease, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ref := range slices.Sorted(maps.Keys(s.leases)) {
		lease := s.leases[ref]
		if lease.Namespace == namespace && lease.Labels[onebidv1.LabelLease] == kind {
			leases = append(leases, lease)
		}
	}
	return leases, strconv.FormatInt(s.version, 10)
}

// followHeartbeats gives a watcher every change of a heartbeat after the version.
func (s *store) followHeartbeats(f *feed[heartbeat], after string) {
	version, _ := strconv.ParseInt(after, 10, 64) // nothing means everything
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.heartbeats {
		if b.version > version {
			f.push(b)
		}
	}
	s.watches = append(s.watches, f)
}

func wholeMicros(lease *coordinationv1.Lease) {
	for _, t := range []*metav1.MicroTime{lease.Spec.RenewTime, lease.Spec.AcquireTime} {
		if t != nil {
			t.Time = t.Truncate(time.Microsecond)
		}
	}
}

// leaseGetter is a process's client for Leases.
type leaseGetter struct{ *apiserver }

// IsWatchListSemanticsUnSupported keeps informers to list and watch.
func (leaseGetter) IsWatchListSemanticsUnSupported() bool { return true }

func (g leaseGetter) Leases(namespace string) coordinationv1client.LeaseInterface {
	return &leaseClient{apiserver: g.apiserver, namespace: namespace}
}

type leaseClient struct {
	coordinationv1client.LeaseInterface // what is not here is not used
	*apiserver
	namespace string
}

func (c *leaseClient) ref(name string) string { return c.namespace + "/" + name }

// request returns a copy of the Lease that a request yields.
func (c *leaseClient) request(
	ctx context.Context, verb, name string, do func(ref string) (*coordinationv1.Lease, error),
) (lease *coordinationv1.Lease, err error) {
	err = c.p.request(ctx, verb, name, func() error {
		stored, err := do(c.ref(name))
		if err == nil {
			lease = stored.DeepCopy()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return lease, nil
}

func (c *leaseClient) Create(
	ctx context.Context, given *coordinationv1.Lease, _ metav1.CreateOptions,
) (*coordinationv1.Lease, error) {
	return c.request(ctx, "create", given.Name, func(ref string) (*coordinationv1.Lease, error) {
		return c.api.createLease(c.p.name, ref, given)
	})
}

func (c *leaseClient) Update(
	ctx context.Context, given *coordinationv1.Lease, _ metav1.UpdateOptions,
) (*coordinationv1.Lease, error) {
	return c.request(ctx, "update", given.Name, func(ref string) (*coordinationv1.Lease, error) {
		return c.api.updateLease(c.p.name, ref, given)
	})
}

func (c *leaseClient) Get(ctx context.Context, name string, _ metav1.GetOptions) (*coordinationv1.Lease, error) {
	return c.request(ctx, "get", name, func(ref string) (*coordinationv1.Lease, error) {
		if stored := c.api.lease(ref); stored != nil {
			return stored, nil
		}
		return nil, apierrors.NewNotFound(leaseResource, name)
	})
}

func (c *leaseClient) Delete(ctx context.Context, name string, options metav1.DeleteOptions) error {
	return c.p.request(ctx, "delete", name, func() error {
		return c.api.deleteLease(c.p.name, c.ref(name), name, options.Preconditions)
	})
}

// List and Watch are for heartbeats alone. They never fail, only take longer: client-go spaces its retries by chance.
func (c *leaseClient) List(ctx context.Context, _ metav1.ListOptions) (*coordinationv1.LeaseList, error) {
	if err := c.reach(ctx); err != nil {
		return nil, err
	}
	leases, version := c.api.listLeases(c.namespace, onebidv1.LeaseKindHeartbeat)
	list := &coordinationv1.LeaseList{ListMeta: metav1.ListMeta{ResourceVersion: version}}
	for _, lease := range leases {
		list.Items = append(list.Items, *lease.DeepCopy())
	}
	return list, nil
}

func (c *leaseClient) Watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	if err := c.reach(ctx); err != nil {
		return nil, err
	}
	w := &leaseWatch{events: make(chan watch.Event), done: make(chan struct{})}
	f := newFeed(c.p, "watch", w.tell, paused, noAPI)
	watching, stop := context.WithCancel(ctx)
	w.stop = stop
	c.p.run(func() { f.run(watching) })
	c.api.followHeartbeats(f, options.ResourceVersion)
	return w, nil
}

func (c *leaseClient) reach(ctx context.Context) error {
	l := c.p.randoms.of(c.p.name, "list and watch")
	for wait := l.between(time.Millisecond, 5*time.Millisecond); wait > 0; wait = c.p.faultLeft(paused, noAPI) {
		if err := c.p.sleep(ctx, wait); err != nil {
			return err
		}
	}
	return nil
}

type leaseWatch struct {
	events chan watch.Event
	done   chan struct{}
	stop   context.CancelFunc
	once   sync.Once
}

func (w *leaseWatch) tell(ctx context.Context, b heartbeat) {
	b.event.Object = b.event.Object.DeepCopyObject()
	select {
	case w.events <- b.event:
	case <-w.done:
	case <-ctx.Done():
	}
}

func (w *leaseWatch) ResultChan() <-chan watch.Event { return w.events }

func (w *leaseWatch) Stop() {
	w.once.Do(func() {
		close(w.done)
		w.stop()
	})
}
