package ownership

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/uuid"
)

// Roles of a holder. A holder with another role, or none, is a competitor that knows only Leases.
const (
	// RoleScanner evaluates a posting and creates its Bid; it never calls a marketplace to place or withdraw.
	RoleScanner = "scanner"
	// RoleController places and withdraws.
	RoleController = "controller"
)

// Identity names one process. The ID is new in every process, so a process that was restarted on the same host has
// another identity, and must take over what its predecessor held.
type Identity struct {
	// Role is RoleScanner or RoleController.
	Role string
	// Host is the pod's or the host's name, for people to read.
	Host string
	// ID makes the identity unique.
	ID string
}

// NewIdentity returns an identity that no other process has.
func NewIdentity(role, host string) Identity {
	return Identity{Role: role, Host: host, ID: string(uuid.NewUUID())}
}

// String is the holderIdentity: <role>/<host>_<id>.
func (i Identity) String() string {
	return i.Role + "/" + i.Host + "_" + i.ID
}

// ParseIdentity reverses Identity.String. It fails for a holder that is neither a scanner nor a controller; such a
// holder is a competitor about which nothing is known but its Lease.
func ParseIdentity(holder string) (Identity, error) {
	role, rest, found := strings.Cut(holder, "/")
	if !found || (role != RoleScanner && role != RoleController) {
		return Identity{}, fmt.Errorf("holder %q: must begin with %s/ or %s/", holder, RoleScanner, RoleController)
	}
	// The last underscore: a host may have one, an ID has none.
	at := strings.LastIndex(rest, "_")
	if at < 1 || at == len(rest)-1 {
		return Identity{}, fmt.Errorf("holder %q: must be <role>/<host>_<id>", holder)
	}
	return Identity{Role: role, Host: rest[:at], ID: rest[at+1:]}, nil
}

const (
	heartbeatPrefix = "onebid-heartbeat."
	maxHostLength   = 63
)

// heartbeatName is the name of the heartbeat Lease of a controller with this identity. It is a function of the identity
// alone, so that an earlier holder's annotation on a posting's Lease is never taken for the present holder's.
func (i Identity) heartbeatName() string {
	return heartbeatPrefix + sanitise(i.Host) + "." + sanitise(i.ID)
}

// sanitise makes a DNS label of any text; two texts may share one, which is why heartbeatName has the ID as well.
func sanitise(text string) string {
	label := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, text)
	label = strings.Trim(label[:min(len(label), maxHostLength)], "-")
	if label == "" {
		return "unnamed"
	}
	return label
}
