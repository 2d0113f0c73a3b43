package ownership

import (
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// HeldOrUnconfirmed is true for a Lease that this process holds, and for one that it tried to take without learning whether it did.
// To everybody else it is the holder then, so nobody else will act, and Acquire is what finds out. No request.
func (c *Client) HeldOrUnconfirmed(namespace, name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := lockName(namespace, name)
	h, found := c.held[key]
	_, doubtful := c.doubts[key]
	return doubtful || found && !h.over
}

// doubt notes how a write that takes a Lease ended. What the API server refused had no effect, but that says nothing about
// an earlier write without an answer: only a success or a live read does.
func (c *Client) doubt(key string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		delete(c.doubts, key)
	case !refused(err):
		c.doubts[key] = struct{}{}
	}
}

// refused is true for an answer of the API server that says that nothing was written.
func refused(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || apierrors.IsTimeout(err) {
		return false
	}
	code := status.Status().Code
	return code >= http.StatusBadRequest && code < http.StatusInternalServerError
}
