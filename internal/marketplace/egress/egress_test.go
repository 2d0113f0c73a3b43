package egress_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/onebid-dev/onebid/internal/marketplace/egress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func policy(t *testing.T, values ...string) egress.Policy {
	t.Helper()
	p, err := egress.ParsePolicy(values)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOnlyPublicAddresses(t *testing.T) {
	const public, private, never = "public", "private", "never"
	for address, want := range map[string]string{
		"1.1.1.1": public, "93.184.216.34": public, "172.32.0.1": public, "100.128.0.1": public, "198.20.0.1": public,
		"2606:4700::1111": public, "2a00:1450:4001:80b::200e": public,
		"10.0.0.1": private, "172.16.0.1": private, "172.31.255.255": private, "192.168.1.1": private,
		"127.0.0.1": private, "127.8.8.8": private, "100.64.0.1": private, "100.127.255.255": private,
		"::1": private, "fc00::1": private, "fd12::1": private, "fec0::1": private, "64:ff9b:1::1": private,
		"0.0.0.0": never, "0.1.2.3": never, "169.254.0.1": never, "169.254.169.254": never, "169.254.170.2": never,
		"100.100.100.200": never, "168.63.129.16": never, "192.0.0.192": never, "192.0.0.8": never, "192.0.2.1": never,
		"198.18.0.1": never, "198.51.100.1": never, "203.0.113.9": never, "224.0.0.1": never, "239.1.1.1": never,
		"240.0.0.1": never, "255.255.255.255": never,
		"::": never, "fe80::1": never, "fe80::1%eth0": never, "ff02::1": never, "2001:db8::1": never, "fd00:ec2::254": never,
		"fd20:ce::254": never, "2001::1": never, "100::1": never,
		// IPv4 in the clothes of IPv6.
		"::ffff:10.0.0.1": private, "::ffff:127.0.0.1": private, "::ffff:169.254.169.254": never, "::ffff:1.1.1.1": public,
		"::7f00:1": never, "64:ff9b::10.0.0.1": private, "64:ff9b::169.254.169.254": never, "64:ff9b::1.1.1.1": public,
		"2002:7f00:1::1": private, "2002:a9fe:a9fe::": never, "2002:101:101::": public,
	} {
		t.Run(address, func(t *testing.T) {
			g := NewWithT(t)
			addr := netip.MustParseAddr(address)
			g.Expect(policy(t).Check(addr) == nil).To(Equal(want == public), "by default")
			g.Expect(policy(t, "true").Check(addr) == nil).To(Equal(want != never), "with private ones")
			exact := netip.PrefixFrom(addr.Unmap().WithZone(""), addr.Unmap().BitLen())
			g.Expect(policy(t, exact.String()).Check(addr)).To(Succeed(), "with just this one")
		})
	}
	if (egress.Policy{}).Check(netip.Addr{}) == nil {
		t.Error("no address at all was allowed")
	}
}

func TestTheRefusalSaysWhatWouldAllowIt(t *testing.T) {
	g := NewWithT(t)
	err := policy(t).Check(netip.MustParseAddr("::ffff:10.1.2.3"))
	var refused *egress.RefusedError
	g.Expect(errors.As(err, &refused)).To(BeTrue())
	g.Expect(err).To(MatchError("refused to connect to 10.1.2.3, a private address: marketplaces must have a public address; " +
		"start the manager with --allow-private-addresses=10.1.2.3/32 to allow it"))
	_, value, _ := strings.Cut(err.Error(), egress.Flag+"=")
	g.Expect(policy(t, strings.Fields(value)[0]).Check(refused.Address)).To(Succeed(), "and it does")
}

func TestParsePolicy(t *testing.T) {
	for _, c := range []struct {
		values  []string
		private bool
		err     string
	}{
		{nil, false, ""},
		{[]string{""}, false, ""},
		{[]string{"false"}, false, ""},
		{[]string{"true"}, true, ""},
		{[]string{"false", " 10.0.0.0/8"}, true, ""},
		{[]string{"10.0.0.1"}, false, `"10.0.0.1" must be true, false or a CIDR such as 10.0.0.0/8`},
		{[]string{"everything"}, false, "must be true, false or a CIDR"},
		{[]string{"::ffff:10.0.0.0/104"}, false, "must be written as an IPv4 CIDR"},
	} {
		t.Run(strings.Join(c.values, ","), func(t *testing.T) {
			g := NewWithT(t)
			p, err := egress.ParsePolicy(c.values)
			if c.err != "" {
				g.Expect(err).To(MatchError(ContainSubstring(c.err)))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(p.AllowsPrivate()).To(Equal(c.private))
		})
	}
}

// TestDialer shows that the check comes after resolution: localhost is an honest name.
func TestDialer(t *testing.T) {
	g := NewWithT(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	g.Expect(err).NotTo(HaveOccurred())
	dial := func(p egress.Policy, host string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		conn, err := p.Dialer(net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	for _, host := range []string{"127.0.0.1", "localhost", "::ffff:127.0.0.1"} {
		g.Expect(dial(policy(t, "127.0.0.0/8"), host)).To(Succeed(), host)
		var refused *egress.RefusedError
		g.Expect(errors.As(dial(policy(t), host), &refused)).To(BeTrue(), host)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		addr, ok := netip.AddrFromSlice(raw)
		if !ok {
			return
		}
		got := egress.Policy{}.Check(addr)
		if got == nil && (addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast() || addr.IsMulticast() ||
			addr.IsUnspecified()) {
			t.Errorf("%s was allowed", addr)
		}
		if addr.Is4() && (got == nil) != ((egress.Policy{}).Check(netip.AddrFrom16(addr.As16())) == nil) {
			t.Errorf("%s is judged differently when it is mapped to IPv6", addr)
		}
	})
}
