// Package egress keeps drivers from reaching the network that the manager runs in: a base URL comes from a tenant's
// Marketplace, and DNS from outside. The dialer checks the resolved address that it connects to, so DNS rebinding gains
// nothing.
package egress

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// Flag is the manager's flag that a refusal names.
const Flag = "--allow-private-addresses"

// Policy says which addresses may be connected to. The zero value allows public ones only. It is immutable.
type Policy struct {
	private bool
	allowed []netip.Prefix
}

// RefusedError says which address was refused, and what would allow it.
type RefusedError struct {
	// Address that the host's name resolved to.
	Address netip.Addr
	// Kind of address, such as "a loopback address".
	Kind string
}

// Error names the address and the flag.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("refused to connect to %s, %s: marketplaces must have a public address; "+
		"start the manager with %s=%s to allow it", e.Address, e.Kind, Flag, netip.PrefixFrom(e.Address, e.Address.BitLen()))
}

// ParsePolicy reads the values of Flag: "true" allows private, shared and loopback addresses, a CIDR allows what is in
// it, "false" and "" add nothing. Link-local, metadata, multicast and unspecified addresses need a CIDR of their own.
func ParsePolicy(values []string) (Policy, error) {
	var p Policy
	for _, value := range values {
		value = strings.TrimSpace(value)
		if on, err := strconv.ParseBool(value); err == nil || value == "" {
			p.private = p.private || on
			continue
		}
		prefix, err := netip.ParsePrefix(value)
		if err != nil {
			return Policy{}, fmt.Errorf("%s: %q must be true, false or a CIDR such as 10.0.0.0/8", Flag, value)
		}
		if prefix.Addr().Is4In6() {
			return Policy{}, fmt.Errorf("%s: %q must be written as an IPv4 CIDR", Flag, value)
		}
		p.allowed = append(p.allowed, prefix.Masked())
	}
	return p, nil
}

// AllowsPrivate says whether anything beyond public addresses is allowed at all.
func (p Policy) AllowsPrivate() bool { return p.private || len(p.allowed) > 0 }

// Check returns a *RefusedError for an address that must not be connected to, otherwise nil.
func (p Policy) Check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	for _, prefix := range p.allowed {
		if prefix.Contains(addr) {
			return nil
		}
	}
	kind := kindOf(addr)
	if kind.name == "" || (kind.private && p.private) {
		return nil
	}
	return &RefusedError{Address: addr, Kind: kind.name}
}

// Dialer returns a copy of the dialer that connects to allowed addresses only, whatever a name resolves to.
func (p Policy) Dialer(d net.Dialer) *net.Dialer {
	d.Control = nil
	d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return p.checkDial(address)
	}
	return &d
}

// checkDial checks the address and port that a socket is about to connect to.
func (p Policy) checkDial(address string) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("refused to connect to %q, which is no IP address and port", address)
	}
	return p.Check(target.Addr())
}
