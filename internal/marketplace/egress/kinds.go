package egress

import "net/netip"

// kind of an address that is not public. Private kinds are those that a cluster's own services have.
type kind struct {
	name    string
	private bool
}

type rule struct {
	prefix netip.Prefix
	kind   kind
}

var (
	loopback    = kind{"a loopback address", true}
	private     = kind{"a private address", true}
	shared      = kind{"an address shared by a provider's customers (CGNAT)", true}
	linkLocal   = kind{"a link-local address", false}
	metadata    = kind{"a cloud's metadata address", false}
	multicast   = kind{"a multicast address", false}
	unspecified = kind{"an unspecified address", false}
	reserved    = kind{"a reserved address", false}
)

// rules are tried in order, the narrow ones first. What is not listed is public.
var rules = []rule{
	{netip.MustParsePrefix("169.254.169.254/32"), metadata}, // AWS, Azure, Google and others
	{netip.MustParsePrefix("169.254.170.2/32"), metadata},   // AWS, of containers
	{netip.MustParsePrefix("168.63.129.16/32"), metadata},   // Azure's host; a public address by its look
	{netip.MustParsePrefix("100.100.100.200/32"), metadata}, // Alibaba
	{netip.MustParsePrefix("192.0.0.192/32"), metadata},     // Oracle
	{netip.MustParsePrefix("fd00:ec2::/32"), metadata},      // AWS
	{netip.MustParsePrefix("fd20:ce::254/128"), metadata},   // Google

	{netip.MustParsePrefix("0.0.0.0/8"), unspecified},
	{netip.MustParsePrefix("10.0.0.0/8"), private},
	{netip.MustParsePrefix("100.64.0.0/10"), shared},
	{netip.MustParsePrefix("127.0.0.0/8"), loopback},
	{netip.MustParsePrefix("169.254.0.0/16"), linkLocal},
	{netip.MustParsePrefix("172.16.0.0/12"), private},
	{netip.MustParsePrefix("192.0.0.0/24"), reserved},
	{netip.MustParsePrefix("192.0.2.0/24"), reserved},
	{netip.MustParsePrefix("192.88.99.0/24"), reserved},
	{netip.MustParsePrefix("192.168.0.0/16"), private},
	{netip.MustParsePrefix("198.18.0.0/15"), reserved},
	{netip.MustParsePrefix("198.51.100.0/24"), reserved},
	{netip.MustParsePrefix("203.0.113.0/24"), reserved},
	{netip.MustParsePrefix("224.0.0.0/4"), multicast},
	{netip.MustParsePrefix("240.0.0.0/4"), reserved}, // and the broadcast address

	{netip.MustParsePrefix("::/128"), unspecified},
	{netip.MustParsePrefix("::1/128"), loopback},
	{netip.MustParsePrefix("::/96"), reserved}, // "IPv4-compatible", long deprecated
	{netip.MustParsePrefix("64:ff9b:1::/48"), private},
	{netip.MustParsePrefix("100::/64"), reserved},
	{netip.MustParsePrefix("2001::/32"), reserved}, // Teredo: the IPv4 address inside is obscured
	{netip.MustParsePrefix("2001:db8::/32"), reserved},
	{netip.MustParsePrefix("fc00::/7"), private},
	{netip.MustParsePrefix("fe80::/10"), linkLocal},
	{netip.MustParsePrefix("fec0::/10"), private},
	{netip.MustParsePrefix("ff00::/8"), multicast},
}

var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	sixToV4 = netip.MustParsePrefix("2002::/16")
)

// kindOf classifies an unmapped address; the zero kind is public. An IPv6 address that embeds an IPv4 one counts as that.
func kindOf(addr netip.Addr) kind {
	if !addr.IsValid() {
		return unspecified
	}
	if inner, ok := embedded(addr); ok {
		return kindOf(inner)
	}
	for _, r := range rules {
		if r.prefix.Contains(addr) {
			return r.kind
		}
	}
	return kind{}
}

func embedded(addr netip.Addr) (netip.Addr, bool) {
	b := addr.As16()
	switch {
	case nat64.Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case sixToV4.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}
