package ownership

import (
	"context"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/ptr"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// defaultTTL is the duration of a posting's Lease unless the Marketplace says otherwise.
const defaultTTL = 300 * time.Second

// Token identifies one term of a Lease. Tokens are compared for equality only: transitions begin again at zero when a
// Lease is deleted, and a UID outlives many holders.
type Token struct {
	UID         types.UID
	Transitions int32
}

func tokenOf(lease *coordinationv1.Lease) Token {
	return Token{UID: lease.UID, Transitions: ptr.Deref(lease.Spec.LeaseTransitions, 0)}
}

// HolderOf returns the holderIdentity, or "" when the Lease has no holder.
func HolderOf(lease *coordinationv1.Lease) string {
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// heldByScanner is false for a holder that is neither scanner nor controller: nothing is known of it.
func heldByScanner(lease *coordinationv1.Lease) bool {
	holder, err := ParseIdentity(HolderOf(lease))
	return err == nil && holder.Role == RoleScanner
}

// heartbeatOf returns "<namespace>/<name>" of the heartbeat Lease of the present holder. It returns "" when the holder is
// no controller, names no heartbeat, or left a predecessor's annotation in place.
func heartbeatOf(lease *coordinationv1.Lease) string {
	holder, err := ParseIdentity(HolderOf(lease))
	if err != nil || holder.Role != RoleController {
		return ""
	}
	ref := lease.Annotations[onebidv1.AnnotationHeartbeat]
	if _, name, _ := strings.Cut(ref, "/"); name != holder.heartbeatName() {
		return ""
	}
	return ref
}

// durationOf is the Lease's own duration. A Lease without one has the default: "none" must not mean "expired".
func durationOf(lease *coordinationv1.Lease) time.Duration {
	if seconds := ptr.Deref(lease.Spec.LeaseDurationSeconds, 0); seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	return defaultTTL
}

// wholeSeconds rounds up to what a Lease can say; zero and less mean the default.
func wholeSeconds(ttl time.Duration) int32 {
	if ttl <= 0 {
		ttl = defaultTTL
	}
	return int32((ttl + time.Second - 1) / time.Second)
}

// getIfAny reads a Lease live; nil when there is none.
func getIfAny(ctx context.Context, leases coordinationv1client.LeaseInterface, name string) (*coordinationv1.Lease, error) {
	lease, err := leases.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return lease, err
}

// refOf is "<namespace>/<name>".
func refOf(namespace, name string) string { return namespace + "/" + name }

// exactly makes a delete succeed only on this version of the Lease.
func exactly(lease *coordinationv1.Lease) metav1.DeleteOptions {
	return metav1.DeleteOptions{Preconditions: &metav1.Preconditions{
		UID: &lease.UID, ResourceVersion: &lease.ResourceVersion,
	}}
}
