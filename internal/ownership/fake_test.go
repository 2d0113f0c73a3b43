package ownership

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	clocktesting "k8s.io/utils/clock/testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

var (
	leaseResource = coordinationv1.Resource("leases")
	epochStart    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	key           = onebidv1.Key{Marketplace: "freelancer", PostingID: "39211345"}
)

const (
	leaseName = "bid-lock.freelancer.39211345"
	namespace = "tenant"
)

// leaseAPI keeps Leases in memory as the API server does: versions, UIDs, preconditions, watches. It counts requests,
// and fails those that a test asks it to, before or after they took effect. It steps no clock and proves nothing about
// races; the integration tests do.
type leaseAPI struct {
	mu       sync.Mutex
	version  int
	leases   map[string]*coordinationv1.Lease
	requests []string
	before   map[string][]error // by verb, each used once
	after    map[string][]error
	hook     func(verb, name string)
	watches  []*leaseWatch
}

type leaseWatch struct {
	*watch.RaceFreeFakeWatcher
	namespace string
	options   metav1.ListOptions
}

func newLeaseAPI() *leaseAPI {
	return &leaseAPI{leases: map[string]*coordinationv1.Lease{}, before: map[string][]error{}, after: map[string][]error{}}
}

// IsWatchListSemanticsUnSupported keeps informers to list and watch.
func (*leaseAPI) IsWatchListSemanticsUnSupported() bool { return true }

func (a *leaseAPI) Leases(namespace string) coordinationv1client.LeaseInterface {
	return &leaseClient{api: a, namespace: namespace}
}

// Failing makes the next request of this verb fail without an effect.
func (a *leaseAPI) Failing(verb string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.before[verb] = append(a.before[verb], err)
}

// Losing makes the next request of this verb take effect and its reply get lost.
func (a *leaseAPI) Losing(verb string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.after[verb] = append(a.after[verb], context.DeadlineExceeded)
}

// Hook is called before each request, for example to let somebody else be faster.
func (a *leaseAPI) Hook(hook func(verb, name string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hook = hook
}

// Requests returns the verbs since the last call.
func (a *leaseAPI) Requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	requests := a.requests
	a.requests = nil
	return requests
}

// Lease is the Lease as it is, or nil.
func (a *leaseAPI) Lease(ref string) *coordinationv1.Lease {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.leases[ref].DeepCopy()
}

// Edit changes a Lease past all clients, making it when there is none.
func (a *leaseAPI) Edit(ref string, edit func(*coordinationv1.Lease)) *coordinationv1.Lease {
	a.mu.Lock()
	defer a.mu.Unlock()
	kind, lease := watch.Modified, a.leases[ref].DeepCopy()
	if lease == nil {
		kind, lease = watch.Added, &coordinationv1.Lease{}
		lease.UID = types.UID(fmt.Sprintf("uid-%d", a.version+1))
	}
	edit(lease)
	return a.store(kind, ref, lease)
}

// Remove deletes a Lease past all clients.
func (a *leaseAPI) Remove(ref string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.remove(ref)
}

// BreakWatches ends all watches, with an error event or without a word.
func (a *leaseAPI) BreakWatches(event *watch.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.watches {
		if !w.IsStopped() && event != nil {
			w.Action(event.Type, event.Object)
		} else {
			w.Stop()
		}
	}
	a.watches = nil
}

// Watching is the number of watches that are open.
func (a *leaseAPI) Watching() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	open := 0
	for _, w := range a.watches {
		if !w.IsStopped() {
			open++
		}
	}
	return open
}

func (a *leaseAPI) store(kind watch.EventType, ref string, lease *coordinationv1.Lease) *coordinationv1.Lease {
	a.version++
	lease.ResourceVersion = strconv.Itoa(a.version)
	a.leases[ref] = lease
	a.tell(kind, lease)
	return lease.DeepCopy()
}

func (a *leaseAPI) remove(ref string) {
	a.version++
	a.tell(watch.Deleted, a.leases[ref])
	delete(a.leases, ref)
}

func (a *leaseAPI) tell(kind watch.EventType, lease *coordinationv1.Lease) {
	for _, w := range a.watches {
		if !w.IsStopped() && w.matches(lease) {
			w.Action(kind, lease.DeepCopy())
		}
	}
}

func (w *leaseWatch) matches(lease *coordinationv1.Lease) bool {
	return lease.Namespace == w.namespace && matches(w.options, lease)
}

func matches(options metav1.ListOptions, lease *coordinationv1.Lease) bool {
	byLabel, _ := labels.Parse(options.LabelSelector)
	byField, _ := fields.ParseSelector(options.FieldSelector)
	return byLabel.Matches(labels.Set(lease.Labels)) && byField.Matches(fields.Set{"metadata.name": lease.Name})
}

// begin and end bracket each request.
func (a *leaseAPI) begin(verb, name string) error {
	a.mu.Lock()
	hook := a.hook
	a.mu.Unlock()
	if hook != nil {
		hook(verb, name)
	}
	a.mu.Lock()
	a.requests = append(a.requests, verb)
	return pop(a.before, verb)
}

func (a *leaseAPI) end(verb string) error {
	defer a.mu.Unlock()
	return pop(a.after, verb)
}

func pop(errs map[string][]error, verb string) error {
	if len(errs[verb]) == 0 {
		return nil
	}
	err := errs[verb][0]
	errs[verb] = errs[verb][1:]
	return err
}

type leaseClient struct {
	coordinationv1client.LeaseInterface
	api       *leaseAPI
	namespace string
}

func (c *leaseClient) ref(name string) string { return c.namespace + "/" + name }

func (c *leaseClient) Create(
	_ context.Context, lease *coordinationv1.Lease, _ metav1.CreateOptions,
) (*coordinationv1.Lease, error) {
	a := c.api
	if err := a.begin("create", lease.Name); err != nil {
		a.mu.Unlock()
		return nil, err
	}
	if a.leases[c.ref(lease.Name)] != nil {
		a.mu.Unlock()
		return nil, apierrors.NewAlreadyExists(leaseResource, lease.Name)
	}
	lease = lease.DeepCopy()
	lease.Namespace, lease.UID = c.namespace, types.UID(fmt.Sprintf("uid-%d", a.version+1))
	stored := a.store(watch.Added, c.ref(lease.Name), lease)
	return stored, a.end("create")
}

func (c *leaseClient) Update(
	_ context.Context, lease *coordinationv1.Lease, _ metav1.UpdateOptions,
) (*coordinationv1.Lease, error) {
	a := c.api
	if err := a.begin("update", lease.Name); err != nil {
		a.mu.Unlock()
		return nil, err
	}
	known := a.leases[c.ref(lease.Name)]
	switch {
	case known == nil:
		a.mu.Unlock()
		return nil, apierrors.NewNotFound(leaseResource, lease.Name)
	case known.ResourceVersion != lease.ResourceVersion || known.UID != lease.UID:
		a.mu.Unlock()
		return nil, apierrors.NewConflict(leaseResource, lease.Name, fmt.Errorf("changed"))
	}
	stored := a.store(watch.Modified, c.ref(lease.Name), lease.DeepCopy())
	return stored, a.end("update")
}

func (c *leaseClient) Delete(_ context.Context, name string, options metav1.DeleteOptions) error {
	a := c.api
	if err := a.begin("delete", name); err != nil {
		a.mu.Unlock()
		return err
	}
	known := a.leases[c.ref(name)]
	if known == nil {
		a.mu.Unlock()
		return apierrors.NewNotFound(leaseResource, name)
	}
	if p := options.Preconditions; p != nil &&
		(p.UID != nil && *p.UID != known.UID || p.ResourceVersion != nil && *p.ResourceVersion != known.ResourceVersion) {
		a.mu.Unlock()
		return apierrors.NewConflict(leaseResource, name, fmt.Errorf("precondition"))
	}
	a.remove(c.ref(name))
	return a.end("delete")
}

func (c *leaseClient) Get(_ context.Context, name string, _ metav1.GetOptions) (*coordinationv1.Lease, error) {
	a := c.api
	if err := a.begin("get", name); err != nil {
		a.mu.Unlock()
		return nil, err
	}
	known := a.leases[c.ref(name)].DeepCopy()
	if err := a.end("get"); err != nil {
		return nil, err
	}
	if known == nil {
		return nil, apierrors.NewNotFound(leaseResource, name)
	}
	return known, nil
}

func (c *leaseClient) List(_ context.Context, options metav1.ListOptions) (*coordinationv1.LeaseList, error) {
	a := c.api
	if err := a.begin("list", ""); err != nil {
		a.mu.Unlock()
		return nil, err
	}
	list := &coordinationv1.LeaseList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(a.version)}}
	for _, lease := range a.leases {
		if lease.Namespace == c.namespace && matches(options, lease) {
			list.Items = append(list.Items, *lease.DeepCopy())
		}
	}
	return list, a.end("list")
}

// Watch begins with what there is, unless a version is given: then nothing may have happened since.
func (c *leaseClient) Watch(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
	a := c.api
	if err := a.begin("watch", ""); err != nil {
		a.mu.Unlock()
		return nil, err
	}
	if options.ResourceVersion != "" && options.ResourceVersion != strconv.Itoa(a.version) {
		a.mu.Unlock()
		return nil, apierrors.NewResourceExpired("list again")
	}
	w := &leaseWatch{RaceFreeFakeWatcher: watch.NewRaceFreeFake(), namespace: c.namespace, options: options}
	for _, lease := range a.leases {
		if options.ResourceVersion == "" && w.matches(lease) {
			w.Add(lease.DeepCopy())
		}
	}
	a.watches = append(a.watches, w)
	return w, a.end("watch")
}

// world is one API and one fake clock that all processes share.
type world struct {
	*testing.T
	*GomegaWithT
	api   *leaseAPI
	clock *clocktesting.FakeClock
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{T: t, GomegaWithT: NewWithT(t), api: newLeaseAPI(), clock: clocktesting.NewFakeClock(epochStart)}
}

// replica is a controller whose heartbeat a test beats by hand.
type replica struct {
	*Client
	members *Members
}

func (w *world) replica(host string) *replica {
	w.Helper()
	me := NewIdentity(RoleController, host)
	members := NewMembers(w.api, "onebid-system", me, DefaultTiming(), w.clock, logr.Discard())
	members.setSynced()
	w.Expect(members.beat(w.Context())).To(Succeed())
	members.refresh()
	w.api.Requests()
	return &replica{Client: NewClient(w.api, me, members, w.clock, logr.Discard()), members: members}
}

// sees makes the replica know of the other's heartbeat as its watch would.
func (w *world) sees(r, other *replica) {
	w.Helper()
	r.members.onBeat(w.api.Lease(other.members.HeartbeatRef()))
}

func (w *world) scanner(host string) *Client {
	return NewClient(w.api, NewIdentity(RoleScanner, host), nil, w.clock, logr.Discard())
}

// beat renews the heartbeats of the replicas.
func (w *world) beat(replicas ...*replica) {
	w.Helper()
	for _, r := range replicas {
		w.Expect(r.members.beat(w.Context())).To(Succeed())
	}
	w.api.Requests()
}

// lease is the posting's Lease as it is.
func (w *world) lease() *coordinationv1.Lease { return w.api.Lease(namespace + "/" + leaseName) }

// until blocks until the condition is true; the condition becomes true by goroutines that need no clock step.
func (w *world) until(condition func() bool) {
	w.Helper()
	w.Eventually(condition, "10s", "1ms").Should(BeTrue())
}

func request(uid types.UID, intent *Intent) Request {
	return Request{Namespace: namespace, Key: key, BidUID: uid, Intent: intent}
}

func placing(uid types.UID, attempt int32) *Intent {
	return &Intent{
		Operation: onebidv1.OperationPlace, BidUID: uid, Attempt: attempt, Key: "key-" + string(uid), Time: epochStart,
	}
}
