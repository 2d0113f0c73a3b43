package ownership

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
)

func TestIdentityRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewWithT(t)
		role := rapid.SampledFrom([]string{RoleScanner, RoleController}).Draw(t, "role")
		host := rapid.StringMatching(`[a-zA-Z0-9._/-]{1,80}`).Draw(t, "host")
		me := NewIdentity(role, host)

		parsed, err := ParseIdentity(me.String())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(parsed).To(Equal(me))
		g.Expect(NewIdentity(role, host)).NotTo(Equal(me), "a restarted process has another identity")
		g.Expect(validation.IsDNS1123Subdomain(me.heartbeatName())).To(BeEmpty())
	})
}

func TestParseIdentityRefusesStrangers(t *testing.T) {
	for _, c := range []struct{ holder, why string }{
		{"", "no holder"},
		{"pod-1_3f", "client-go's usual identity has no role"},
		{"operator/pod-1_3f", "a role that is none of ours"},
		{"controller/pod-1", "no ID"},
		{"controller/_3f", "no host"},
		{"controller/pod-1_", "an empty ID"},
		{"controllers/pod-1_3f", "only begins like a role"},
	} {
		_, err := ParseIdentity(c.holder)
		NewWithT(t).Expect(err).To(MatchError(ContainSubstring(c.holder)), c.why)
	}
}

func TestHeartbeatNameIsReadable(t *testing.T) {
	g := NewWithT(t)
	g.Expect(Identity{RoleController, "Pod_1.example", "3F"}.heartbeatName()).To(Equal("onebid-heartbeat.pod-1-example.3f"))
	g.Expect(Identity{RoleController, "___", "3f"}.heartbeatName()).To(Equal("onebid-heartbeat.unnamed.3f"))
	g.Expect(Identity{RoleController, strings.Repeat("a", 300), "3f"}.heartbeatName()).
		To(Equal("onebid-heartbeat." + strings.Repeat("a", 63) + ".3f"))
}
