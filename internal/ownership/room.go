package ownership

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Room names the Lease whose holder alone lets Bids through the limits of a Marketplace.
type Room struct {
	marketplace string
	owner       metav1.OwnerReference
}

// RoomOf is the Room of a Marketplace. The Lease belongs to it and goes with it.
func RoomOf(m *onebidv1.Marketplace) *Room {
	return &Room{
		marketplace: m.Name,
		owner: metav1.OwnerReference{
			APIVersion: onebidv1.GroupVersion.String(), Kind: "Marketplace", Name: m.Name, UID: m.UID,
		},
	}
}

// LeaseName is as in "bid-room.freelancer". No posting's Lease has such a name.
func (r *Room) LeaseName() string { return "bid-room." + r.marketplace }

// subject is what a Lease is about.
type subject struct {
	name    string
	kind    string
	lockKey string
	owner   *metav1.OwnerReference
}

func (r *Request) subject() (subject, error) {
	if r.Room != nil {
		return subject{
			name: r.Room.LeaseName(), kind: onebidv1.LeaseKindRoom, lockKey: "bid:room:" + r.Room.marketplace, owner: &r.Room.owner,
		}, nil
	}
	name, err := r.Key.LeaseName()
	return subject{name: name, kind: onebidv1.LeaseKindPosting, lockKey: r.Key.LockKey()}, err
}
