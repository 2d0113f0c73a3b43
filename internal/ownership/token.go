package ownership

import (
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// DefaultTTL is the duration of a posting's Lease unless the Marketplace says otherwise.
const DefaultTTL = 300 * time.Second

// Token tells one tenure from another. Tokens are compared for equality only: transitions begin again at zero when a
// Lease is deleted, and a UID outlives many holders.
type Token struct {
	UID         types.UID
	Transitions int32
}

// TokenOf returns the token of the Lease's present tenure.
func TokenOf(lease *coordinationv1.Lease) Token {
	return Token{UID: lease.UID, Transitions: ptr.Deref(lease.Spec.LeaseTransitions, 0)}
}

// HolderOf returns the holderIdentity, or "" when nobody holds the Lease.
func HolderOf(lease *coordinationv1.Lease) string {
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// durationOf is the Lease's own duration. A Lease without one has the default, since "none" must not mean "expired".
func durationOf(lease *coordinationv1.Lease) time.Duration {
	if seconds := ptr.Deref(lease.Spec.LeaseDurationSeconds, 0); seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	return DefaultTTL
}

// wholeSeconds rounds up to what a Lease can say; zero and less mean the default.
func wholeSeconds(ttl time.Duration) int32 {
	if ttl <= 0 {
		ttl = DefaultTTL
	}
	return int32((ttl + time.Second - 1) / time.Second)
}
