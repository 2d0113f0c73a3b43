package main

import (
	"net/netip"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// What is wrong with a flag is said by its name, its value and what would be right.
func TestBadFlagsAreRefused(t *testing.T) {
	for _, tc := range []struct {
		arg  string
		says string
	}{
		{"--watch-namespaces=Team_A", `--watch-namespaces: "Team_A" is not a valid namespace name: `},
		{"--watch-namespaces=", "--watch-namespaces: is empty"},
		{"--max-concurrent-reconciles=0", "--max-concurrent-reconciles: 0 must be at least 1"},
		{"--namespace=", "--namespace: must not be empty"},
		{"--pod-name=", "--pod-name: must not be empty"},
		{"--allow-private-addresses=10.0.0.0", "10.0.0.0"},
		{"--heartbeat-margin=1ms", "--heartbeat-margin=1ms: must be "},
		{"--log-lebel=debug", "unknown flag: --log-lebel"},
		{"debug", `unexpected argument "debug"`},
	} {
		t.Run(tc.arg, func(t *testing.T) {
			_, err := parse([]string{tc.arg})
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(tc.says)))
		})
	}
}

func TestDefaultsAreSafe(t *testing.T) {
	g := NewWithT(t)
	o, err := parse(nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(o.timing.Validate()).To(Succeed())
	g.Expect(o.watched).To(BeEmpty(), "all namespaces")
	g.Expect(o.egress.Check(netip.MustParseAddr("169.254.169.254"))).NotTo(Succeed(), "the address of cloud metadata")
	g.Expect(o.shutdownGrace).To(BeNumerically(">", 30*time.Second), "longer than the longest call")

	o, err = parse([]string{"--watch-namespaces=a,b"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(scopes(o.watched)).To(And(HaveLen(2), HaveKey("a"), HaveKey("b")))
	g.Expect(scopes(nil)).To(BeNil(), "an empty map would watch nothing")
}
