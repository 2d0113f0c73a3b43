package ownership

import (
	"errors"
	"net/http"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

// Claim is the right to act on a posting, as of one moment. Authorize says whether it is still valid.
type Claim struct {
	Namespace string
	// Name of the Lease.
	Name string
	// Token identifies the term.
	Token Token
	// BidUID is the Bid that the claim is for; "" for a scanner.
	BidUID types.UID
	// Intents are all unresolved intents on the Lease, of every Bid, this claim's own included.
	Intents Intents
	// Prior are the intents that this term found on the Lease and did not write: an earlier holder may have made those
	// calls. SetIntents removes from Prior what it replaces or removes; Resolved empties it.
	Prior Intents
	// Inherited is true while there is history to resolve before a call: another process held the Lease for a Bid, or the
	// Lease carried intents, and this process did not see the outcome. SetIntents and Resolved end it.
	Inherited bool
	// AcquiredAt is when this term began, on the process's own clock, after the write was acknowledged. The settle time
	// counts from it.
	AcquiredAt time.Time

	held *heldLease
}

func (c *Claim) ref() string { return refOf(c.Namespace, c.Name) }

// checkSeen returns an error when the Lease carries intents that are not in the claim.
func (c *Claim) checkSeen(lease *coordinationv1.Lease) error {
	present := intentsOf(lease)
	if len(present.not(c.Intents)) > 0 {
		return &UnseenIntentsError{Intents: present}
	}
	return nil
}

// heldLease is what this process knows of a Lease that it wrote last. Client.mu guards it.
type heldLease struct {
	// lease is the version that this process knows. It is replaced, never changed.
	lease *coordinationv1.Lease
	// bidUID is the Bid that the Lease is held for.
	bidUID types.UID
	// prior, inherited and acquiredAt are the claim's.
	prior      Intents
	inherited  bool
	acquiredAt time.Time
	// assertedAt is when the last acknowledged write was sent; the Lease's own duration counts from it.
	assertedAt time.Time
	// epoch is the heartbeat's when that write was sent.
	epoch uint64
	// exclusive keeps this process's other goroutines from using the posting for another Bid.
	exclusive bool
	// ended is true once the term is known to be over. An ended one is remembered only when its Lease was deleted: the
	// next create restores the intents.
	ended bool
}

func (h *heldLease) claim() *Claim {
	return &Claim{
		Namespace:  h.lease.Namespace,
		Name:       h.lease.Name,
		Token:      tokenOf(h.lease),
		BidUID:     h.bidUID,
		Intents:    intentsOf(h.lease),
		Prior:      h.prior,
		Inherited:  h.inherited,
		AcquiredAt: h.acquiredAt,
		held:       h,
	}
}

// addPrior adds intents that another process put on the Lease during this term. Client.mu is held.
func (h *heldLease) addPrior(present Intents) {
	if added := present.not(intentsOf(h.lease)); len(added) > 0 {
		h.prior, h.inherited = slices.Concat(h.prior, added), true
	}
}

// Held returns the claim that this process has on a Lease, from memory: no request. Assert and Authorize say whether it
// is still valid.
func (c *Client) Held(namespace, name string) (*Claim, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.held[refOf(namespace, name)]
	if h == nil || h.ended {
		return nil, false
	}
	return h.claim(), true
}

// HeldOrUnconfirmed is true for a Lease that this process holds, and for one that it tried to take without getting a
// reply. To all other processes it may be the holder, so none of them will act; Acquire finds out. No request.
func (c *Client) HeldOrUnconfirmed(namespace, name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ref := refOf(namespace, name)
	_, unconfirmed := c.unconfirmed[ref]
	h := c.held[ref]
	return unconfirmed || h != nil && !h.ended
}

// Forget drops what this process remembers of a Lease, without a request: the claim ends, and the Lease is left to the
// next holder. Use it when the Bid is gone, so that memory does not grow.
func (c *Client) Forget(namespace, name string) {
	ref := refOf(namespace, name)
	c.mu.Lock()
	h := c.held[ref]
	c.mu.Unlock()
	if h != nil {
		c.end(h)
	}
	c.seen.forget(ref)
}

// end ends a term in memory.
func (c *Client) end(h *heldLease) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.ended = true
	if ref := refOf(h.lease.Namespace, h.lease.Name); c.held[ref] == h {
		delete(c.held, ref)
	}
}

// noteWrite notes how a write that takes a Lease ended. A refusal of the API server had no effect, but says nothing about
// an earlier write without a reply: only a success or a live read does.
func (c *Client) noteWrite(ref string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		delete(c.unconfirmed, ref)
	case !refused(err):
		c.unconfirmed[ref] = struct{}{}
	}
}

// refused is true for a reply of the API server that says that nothing was written.
func refused(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || apierrors.IsTimeout(err) {
		return false
	}
	code := status.Status().Code
	return code >= http.StatusBadRequest && code < http.StatusInternalServerError
}
