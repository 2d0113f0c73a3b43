package crash_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/test/harness"
)

const (
	patience = 40 * time.Second
	poll     = 50 * time.Millisecond
	// dead is how long after its last heartbeat a replica counts as dead for certain.
	dead = 3 * time.Second
	// lapsed is how long after its last heartbeat a replica has lost for certain what it holds.
	lapsed = 2 * time.Second
)

// crew is a tenant with two replicas, in which cells of one class run one after the other.
type crew struct {
	*harness.Tenant

	class onebidv1.MarketplaceClass
	// api is between the replicas and the API server, market between them and the marketplace.
	api, market *harness.Proxy
	// replicas that are wanted alive; employed are those that ever were.
	replicas, employed []*replica
	started            int
	// file by which the next fault is armed, the same for all replicas.
	file string
	home *testing.T
}

func newCrew(t *testing.T, class onebidv1.MarketplaceClass, edit ...func(*onebidv1.Marketplace)) *crew {
	t.Helper()
	market := harness.NewProxy(t, simulatorURL(), http.DefaultTransport)
	c := &crew{class: class, market: market, file: filepath.Join(t.TempDir(), "failpoint"), home: t}
	edit = append(edit, func(m *onebidv1.Marketplace) {
		m.Spec.HTTP.BaseURL = market.URL + strings.TrimPrefix(m.Spec.HTTP.BaseURL, simulatorURL())
		m.Spec.Orphans = onebidv1.OrphansWithdraw
	})
	c.Tenant = world.Tenant(t, class, edit...)
	c.api = c.Proxy()
	c.start()
	c.start()
	return c
}

func simulatorURL() string { return strings.TrimSuffix(world.Sim.MarketURL(""), "/") }

// start adds a replica, which lives as long as the crew.
func (c *crew) start() {
	c.started++
	r := startReplica(c.home, fmt.Sprintf("r%d", c.started), c.api.Kubeconfig, []string{"ONEBID_FAILPOINT_FILE=" + c.file},
		"--namespace", c.System, "--watch-namespaces", c.NS)
	c.replicas, c.employed = append(c.replicas, r), append(c.employed, r)
}

// arm makes whichever replica comes to the mark first do what it says to itself.
func (c *crew) arm(mark string) {
	c.T.Helper()
	whole := c.file + ".new" // a replica must not read half of it
	c.G.Expect(os.WriteFile(whole, []byte(mark), 0o600)).To(Succeed())
	c.G.Expect(os.Rename(whole, c.file)).To(Succeed())
}

// disarm takes the mark back; it is false when a replica has come to it.
func (c *crew) disarm() bool { return os.Remove(c.file) == nil }

// reached is true once a replica came to the mark.
func (c *crew) reached() bool {
	_, err := os.Stat(c.file)
	return os.IsNotExist(err)
}

// ended is how many replicas did.
func (c *crew) ended() (n int) {
	for _, r := range c.replicas {
		if r.Ended() {
			n++
		}
	}
	return n
}

// replace starts a replica for each one that ended.
func (c *crew) replace() {
	ended := c.ended()
	c.replicas = slices.DeleteFunc(c.replicas, func(r *replica) bool { return r.Ended() })
	for range ended {
		c.start()
	}
}

// signal goes to all replicas that live.
func (c *crew) signal(signal syscall.Signal) {
	for _, r := range c.replicas {
		if !r.Ended() {
			c.G.Expect(r.Signal(signal)).To(Succeed())
		}
	}
}

// disband ends all replicas.
func (c *crew) disband() {
	for _, r := range c.replicas {
		r.Kill()
	}
}

// victim is the replica that stands still, or nil.
func (c *crew) victim() *replica {
	at := slices.IndexFunc(c.replicas, (*replica).stopped)
	if at < 0 {
		return nil
	}
	return c.replicas[at]
}
