package redis_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	goredis "github.com/redis/go-redis/v9"

	"github.com/onebid-dev/onebid/pkg/scanner/lock"
	"github.com/onebid-dev/onebid/test/redistest"
)

const soon = "30s"

// connect opens a plain connection to one server, past the backend.
func connect(t *testing.T, address string) *goredis.Client {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: address})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// A lock that reached the replica outlives its master: it is still held, renewed, handed over and taken at the new one.
func TestSentinelFailsOver(t *testing.T) {
	g := NewWithT(t)
	master := redistest.Start(t)
	host, port, err := net.SplitHostPort(master.Addr)
	g.Expect(err).NotTo(HaveOccurred())
	replica := redistest.Start(t, "--replicaof", host, port)
	sentinel := master.Sentinel()
	watched := goredis.NewSentinelClient(&goredis.Options{Addr: sentinel.Addr})
	defer func() { _ = watched.Close() }()
	g.Eventually(func() ([]map[string]string, error) { return watched.Replicas(t.Context(), "mymaster").Result() }, soon, "50ms").
		Should(ConsistOf(And(HaveKeyWithValue("flags", "slave"), HaveKeyWithValue("master-link-status", "ok"))))

	address := fmt.Sprintf("redis+sentinel://%s/0?master_name=mymaster", sentinel.Addr)
	one, other := open(t, address), open(t, address)
	held, err := one.Acquire(t.Context(), request(0))
	g.Expect(err).NotTo(HaveOccurred())
	copied := connect(t, replica.Addr)
	g.Eventually(func() (int64, error) { return copied.DBSize(t.Context()).Result() }, soon, "5ms").Should(BeEquivalentTo(1))

	master.Stop()
	g.Eventually(func() error {
		_, err = other.Acquire(t.Context(), request(0))
		return err
	}, soon, "50ms").Should(BeAssignableToTypeOf(&lock.TimeoutError{}), "it is known at the new master")
	g.Expect(err).To(MatchError(ContainSubstring("locked by host")))
	g.Expect(held.Renew(t.Context())).To(Succeed())

	waits, taken := make(chan string, 1), make(chan error, 1)
	req := request(time.Hour)
	req.Waiting = func(holder string) { waits <- holder }
	go func() {
		_, err := other.Acquire(t.Context(), req)
		taken <- err
	}()
	g.Eventually(waits, soon).Should(Receive())
	g.Expect(held.Release(t.Context())).To(Succeed())
	g.Eventually(taken, soon).Should(Receive(BeNil()))
	g.Expect(held.Renew(t.Context())).To(MatchError(lock.ErrLost), "it is somebody else's")
}

// Locks on many postings lie on all masters of a cluster, and each is held and given back where it lies.
func TestClusterSharesLocks(t *testing.T) {
	g := NewWithT(t)
	nodes := redistest.Cluster(t)
	address := fmt.Sprintf("redis+cluster://%s", nodes[0].Addr)
	one, other := open(t, address), open(t, address)
	const postings = 60
	var held []lock.Lock
	numbered := func(i int) lock.Request {
		req := request(0)
		req.Key.PostingID = fmt.Sprint(i)
		return req
	}
	for i := range postings {
		l, err := one.Acquire(t.Context(), numbered(i))
		g.Expect(err).NotTo(HaveOccurred())
		held = append(held, l)
		_, err = other.Acquire(t.Context(), numbered(i))
		_, ok := errors.AsType[*lock.TimeoutError](err)
		g.Expect(ok).To(BeTrue(), "%v", err)
	}
	for _, node := range nodes {
		g.Expect(connect(t, node.Addr).DBSize(t.Context()).Val()).To(BeNumerically(">", 0), "a share of the locks lies on each")
	}
	for _, l := range held {
		g.Expect(l.Renew(t.Context())).To(Succeed())
		g.Expect(l.Release(t.Context())).To(Succeed())
	}
	for i := range postings {
		_, err := other.Acquire(t.Context(), numbered(i))
		g.Expect(err).NotTo(HaveOccurred())
	}
}

// A lock that ran out and is somebody else's by now is neither renewed nor released by who had it before.
func TestTokensAreCompared(t *testing.T) {
	g := NewWithT(t)
	server := redistest.Start(t)
	address := "redis://" + server.Addr
	one, other := open(t, address), open(t, address)
	late, err := one.Acquire(t.Context(), request(0))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(connect(t, server.Addr).FlushAll(t.Context()).Err()).To(Succeed())
	held, err := other.Acquire(t.Context(), request(0))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(late.Renew(t.Context())).To(MatchError(lock.ErrLost))
	g.Expect(late.Release(t.Context())).To(MatchError(lock.ErrLost))
	g.Expect(held.Renew(t.Context())).To(Succeed(), "it is still there")
}
