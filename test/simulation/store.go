package simulation

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

var (
	bidResource   = schema.GroupResource{Group: onebidv1.GroupVersion.Group, Resource: "bids"}
	leaseResource = coordinationv1.Resource("leases")
	errVersion    = errors.New("the object has been modified")
)

// store is the API server: versions, UIDs, finalizers, preconditions. An object in it is never changed, only replaced.
type store struct {
	*env
	observe func(by string, ch change)

	mu         sync.Mutex
	version    int64
	uids       int
	writes     int // but for heartbeats
	bids       map[string]*onebidv1.Bid
	leases     map[string]*coordinationv1.Lease
	heartbeats []heartbeat // every change of a heartbeat
	bidFeeds   []*feed[change]
	watches    []*feed[heartbeat]
}

// change of a Bid. One that is gone has no after.
type change struct {
	name          string
	before, after *onebidv1.Bid
}

func newStore(e *env, observe func(by string, ch change)) *store {
	return &store{env: e, observe: observe, bids: map[string]*onebidv1.Bid{}, leases: map[string]*coordinationv1.Lease{}}
}

func (s *store) nextUID() types.UID {
	s.uids++
	return types.UID("uid-" + strconv.Itoa(s.uids))
}

func (s *store) nextVersion() string {
	s.version++
	return strconv.FormatInt(s.version, 10)
}

// bid is the Bid of that name, nil when there is none.
func (s *store) bid(name string) *onebidv1.Bid {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bids[name]
}

// all Bids, by name.
func (s *store) all() []*onebidv1.Bid {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*onebidv1.Bid, 0, len(s.bids))
	for _, name := range slices.Sorted(maps.Keys(s.bids)) {
		out = append(out, s.bids[name])
	}
	return out
}

func (s *store) written() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// follow gives a watcher all Bids and from then on every change.
func (s *store) follow(f *feed[change]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.bids)) {
		f.push(change{name: name, after: s.bids[name]})
	}
	s.bidFeeds = append(s.bidFeeds, f)
}

// put replaces a Bid; nil removes it. The caller holds mu.
func (s *store) put(by, name string, after *onebidv1.Bid) {
	before := s.bids[name]
	s.writes++
	if after == nil {
		s.version++
		delete(s.bids, name)
	} else {
		after.ResourceVersion = s.nextVersion()
		s.bids[name] = after
	}
	changed := change{name, before, after}
	s.observe(by, changed)
	for _, f := range s.bidFeeds {
		f.push(changed)
	}
}

func (s *store) create(by string, bid *onebidv1.Bid) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bids[bid.Name] != nil {
		return apierrors.NewAlreadyExists(bidResource, bid.Name)
	}
	bid.UID, bid.Generation = s.nextUID(), 1
	bid.CreationTimestamp = metav1.NewTime(time.Now().Truncate(time.Second))
	if s.plan.Admission {
		bid.Finalizers = []string{onebidv1.FinalizerWithdraw}
	}
	s.put(by, bid.Name, bid)
	return nil
}

// edit is a user's write: it changes what is there, whatever version that is.
func (s *store) edit(by, name string, change func(*onebidv1.Bid)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.bids[name]
	if known == nil {
		return apierrors.NewNotFound(bidResource, name)
	}
	bid := known.DeepCopy()
	change(bid)
	if err := unchangeable(known, bid); err != nil {
		return err
	}
	if !equality.Semantic.DeepEqual(known.Spec, bid.Spec) {
		bid.Generation++
	}
	s.put(by, name, bid)
	return nil
}

// unchangeable stands for the validation rules of the CRD.
func unchangeable(was, is *onebidv1.Bid) error {
	a, b := was.Spec.DeepCopy(), is.Spec.DeepCopy()
	a.Withdraw, b.Withdraw, a.Approval, b.Approval = nil, nil, nil, nil
	if !equality.Semantic.DeepEqual(a, b) || was.Spec.Withdraw != nil && is.Spec.Withdraw == nil {
		return apierrors.NewInvalid(onebidv1.GroupVersion.WithKind("Bid").GroupKind(), was.Name, nil)
	}
	return nil
}

// remove is a user's delete: finalizers delay it.
func (s *store) remove(by, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.bids[name]
	switch {
	case known == nil:
		return apierrors.NewNotFound(bidResource, name)
	case len(known.Finalizers) == 0:
		s.put(by, name, nil)
	case known.DeletionTimestamp.IsZero():
		bid := known.DeepCopy()
		now := metav1.NewTime(time.Now().Truncate(time.Second))
		bid.DeletionTimestamp = &now
		bid.Generation++
		s.put(by, name, bid)
	}
	return nil
}

// updateStatus is a controller's write of the status. The Bid that is given becomes what is stored.
func (s *store) updateStatus(by string, given *onebidv1.Bid) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.bids[given.Name]
	if known == nil {
		return apierrors.NewNotFound(bidResource, given.Name)
	}
	if err := outdated(bidResource, known, given); err != nil {
		return err
	}
	bid := known.DeepCopy()
	bid.Status = *given.Status.DeepCopy()
	wholeSeconds(&bid.Status)
	if !equality.Semantic.DeepEqual(bid.Status, known.Status) {
		s.put(by, given.Name, bid)
	}
	s.bids[given.Name].DeepCopyInto(given)
	return nil
}

// outdated refuses an update of another version than the stored one.
func outdated(resource schema.GroupResource, known, given metav1.Object) error {
	switch {
	case given.GetResourceVersion() == "":
		return apierrors.NewBadRequest("metadata.resourceVersion must be given")
	case given.GetUID() != known.GetUID() || given.GetResourceVersion() != known.GetResourceVersion():
		return apierrors.NewConflict(resource, given.GetName(), errVersion)
	}
	return nil
}

// wholeSeconds cuts times as the API does.
func wholeSeconds(status *onebidv1.BidStatus) {
	cut := func(t *metav1.Time) {
		if t != nil {
			*t = metav1.NewTime(t.Truncate(time.Second))
		}
	}
	for i := range status.Conditions {
		cut(&status.Conditions[i].LastTransitionTime)
	}
	if status.Remote != nil {
		cut(status.Remote.PlacedAt)
	}
	if status.Attempts != nil {
		cut(status.Attempts.NextTime)
	}
	cut(status.WithdrawalTimestamp)
	cut(status.SettlingSince)
}

// patchFinalizers is a merge patch of the finalizers.
func (s *store) patchFinalizers(by, name string, patch []byte) error {
	var wanted struct {
		Metadata struct {
			UID             types.UID `json:"uid"`
			ResourceVersion string    `json:"resourceVersion"`
			Finalizers      []string  `json:"finalizers"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(patch, &wanted); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known, want := s.bids[name], wanted.Metadata
	switch {
	case known == nil:
		return apierrors.NewNotFound(bidResource, name)
	case want.UID != "" && want.UID != known.UID || want.ResourceVersion != "" && want.ResourceVersion != known.ResourceVersion:
		return apierrors.NewConflict(bidResource, name, errVersion)
	case !known.DeletionTimestamp.IsZero() && len(want.Finalizers) == 0:
		s.put(by, name, nil)
		return nil
	}
	bid := known.DeepCopy()
	bid.Finalizers = want.Finalizers
	s.put(by, name, bid)
	return nil
}
