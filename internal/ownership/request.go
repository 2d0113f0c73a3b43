package ownership

import (
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Request is the input of Acquire.
type Request struct {
	Namespace string
	// Key of the posting; not used when Capacity is set.
	Key onebidv1.Key
	// Capacity, when set, asks for a Marketplace's capacity Lease instead of a posting's; see CapacityLeaseOf. It has no Bid
	// and no intents.
	Capacity *CapacityLease
	// BidUID is the Bid to act for; a scanner has none.
	BidUID types.UID
	// TTL is the Lease's own duration; zero means 300 s.
	TTL time.Duration
	// Intent is put on the Lease in the same write, nil for none.
	Intent *Intent
	// Hint is the Lease as a cache shows it, or nil. It saves a round trip when it is current and the Lease is free; it
	// never decides, because the API server refuses an update of an outdated version.
	Hint *coordinationv1.Lease
	// IgnoreCooldown takes the Lease although a tombstone forbids bids, and leaves the tombstone in place. It is for
	// withdrawing a bid that turned up late.
	IgnoreCooldown bool
	// Exclusive is for work that no queue serialises with work on the posting's other Bids. Until the claim ends, Acquire
	// for another Bid fails with *HeldError in this process too; and so does this one while the process holds the posting
	// for another Bid.
	Exclusive bool
	// Occupied, when set, is called once when a Lease that was to be created exists already, before more requests are
	// spent on it. When GiveUp is closed by then, Acquire fails with a *HeldError, and AcquireWait as after its timeout.
	Occupied func()
	// Waiting, when set, is called once by AcquireWait before it begins to wait.
	Waiting func(HeldError)
	// GiveUp, when closed, ends the wait of AcquireWait as its timeout does. Unlike the end of a context it breaks off no
	// request that may take effect all the same.
	GiveUp <-chan struct{}
}

func (r *Request) gaveUp() bool {
	select {
	case <-r.GiveUp:
		return true
	default:
		return false
	}
}

// CapacityLease names the Lease whose holder alone reserves capacity within the limits of a Marketplace.
type CapacityLease struct{ subject subject }

// CapacityLeaseOf returns the capacity Lease of a Marketplace. The Marketplace owns the Lease.
func CapacityLeaseOf(m *onebidv1.Marketplace) *CapacityLease {
	return &CapacityLease{subject{
		name:    "bid-capacity." + m.Name, // no posting's Lease has such a name
		kind:    onebidv1.LeaseKindCapacity,
		lockKey: "bid:capacity:" + m.Name,
		owner: &metav1.OwnerReference{
			APIVersion: onebidv1.GroupVersion.String(), Kind: "Marketplace", Name: m.Name, UID: m.UID,
		},
	}}
}

// LeaseName is as in "bid-capacity.freelancer".
func (c *CapacityLease) LeaseName() string { return c.subject.name }

// subject is what a Lease is about.
type subject struct {
	name    string
	kind    string
	lockKey string
	owner   *metav1.OwnerReference
}

func (r *Request) subject() (subject, error) {
	if r.Capacity != nil {
		return r.Capacity.subject, nil
	}
	name, err := r.Key.LeaseName()
	return subject{name: name, kind: onebidv1.LeaseKindPosting, lockKey: r.Key.LockKey()}, err
}
