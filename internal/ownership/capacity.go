package ownership

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// CapacityLease names the Lease whose holder alone reserves capacity within the limits of a Marketplace.
type CapacityLease struct {
	marketplace string
	owner       metav1.OwnerReference
}

// CapacityLeaseOf returns the capacity Lease of a Marketplace. The Marketplace owns the Lease.
func CapacityLeaseOf(m *onebidv1.Marketplace) *CapacityLease {
	return &CapacityLease{
		marketplace: m.Name,
		owner: metav1.OwnerReference{
			APIVersion: onebidv1.GroupVersion.String(), Kind: "Marketplace", Name: m.Name, UID: m.UID,
		},
	}
}

// LeaseName is as in "bid-capacity.freelancer". No posting's Lease has such a name.
func (r *CapacityLease) LeaseName() string { return "bid-capacity." + r.marketplace }

// subject is what a Lease is about.
type subject struct {
	name    string
	kind    string
	lockKey string
	owner   *metav1.OwnerReference
}

func (r *Request) subject() (subject, error) {
	if r.Capacity != nil {
		return subject{
			name: r.Capacity.LeaseName(), kind: onebidv1.LeaseKindCapacity, lockKey: "bid:capacity:" + r.Capacity.marketplace, owner: &r.Capacity.owner,
		}, nil
	}
	name, err := r.Key.LeaseName()
	return subject{name: name, kind: onebidv1.LeaseKindPosting, lockKey: r.Key.LockKey()}, err
}
