package redis_test

import (
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
	"github.com/onebid-dev/onebid/pkg/scanner/lock/locktest"
	"github.com/onebid-dev/onebid/pkg/scanner/lock/redis"
	"github.com/onebid-dev/onebid/test/redistest"
)

func open(t *testing.T, address string) *redis.Backend {
	t.Helper()
	g := NewWithT(t)
	client, err := redis.Open(address)
	g.Expect(err).NotTo(HaveOccurred())
	backend := redis.New(client, "host")
	t.Cleanup(func() { g.Expect(backend.Close()).To(Succeed()) })
	return backend
}

func TestConformance(t *testing.T) {
	server := redistest.Start(t)
	cluster := redistest.Cluster(t)
	var namespaces atomic.Int32
	for name, address := range map[string]string{
		"server": "redis://" + server.Addr,
		"sentinel": fmt.Sprintf("redis+sentinel://%s/0?master_name=mymaster&addr=%s",
			server.Sentinel().Addr, server.Sentinel().Addr),
		"cluster": fmt.Sprintf("redis+cluster://%s?addr=%s", cluster[0].Addr, cluster[1].Addr),
	} {
		t.Run(name, func(t *testing.T) {
			locktest.Run(t, locktest.Suite{
				Name:      lock.Redis,
				Process:   func(t *testing.T) lock.Backend { return open(t, address) },
				Namespace: func(*testing.T) string { return fmt.Sprintf("tenant-%d", namespaces.Add(1)) },
			})
		})
	}
}

func request(timeout time.Duration) lock.Request {
	return lock.Request{
		Namespace: "tenant", Key: onebidv1.Key{Marketplace: "freelancer", PostingID: "1"}, TTL: time.Minute, Timeout: timeout,
	}
}

func unavailable(g *WithT, err error) {
	down, ok := errors.AsType[*lock.UnavailableError](err)
	g.Expect(ok).To(BeTrue(), "%v", err)
	g.Expect(down).To(MatchError(ContainSubstring("lock backend redis is unavailable: ")))
	g.Expect(errors.Unwrap(down)).To(HaveOccurred())
}

// A server that goes is noticed by who holds, by who waits, and by who comes.
func TestServerGoes(t *testing.T) {
	g := NewWithT(t)
	server := redistest.Start(t, "--requirepass", "p@ss", "--user", "app", "on", ">s3cret", "~*", "&*", "+@all")
	backend := open(t, "redis://app:s3cret@"+server.Addr+"/3")
	g.Expect(backend.Ping(t.Context())).To(Succeed())
	held, err := backend.Acquire(t.Context(), request(0))
	g.Expect(err).NotTo(HaveOccurred())

	waits, ended := make(chan string, 1), make(chan error, 1)
	req := request(time.Hour)
	req.Waiting = func(holder string) { waits <- holder }
	go func() {
		_, err := backend.Acquire(t.Context(), req)
		ended <- err
	}()
	g.Eventually(waits, "30s").Should(Receive(Equal("host")))
	server.Stop()
	g.Eventually(ended, "30s").Should(Receive(&err))
	unavailable(g, err)
	g.Expect(held.Renew(t.Context())).NotTo(Succeed())
	g.Expect(held.Release(t.Context())).NotTo(Succeed())
	g.Expect(backend.Ping(t.Context())).NotTo(Succeed())
	_, err = backend.Acquire(t.Context(), request(0))
	unavailable(g, err)

	server.Start()
	g.Eventually(func() error { return backend.Ping(t.Context()) }, "30s", "10ms").Should(Succeed())
	_, err = backend.Acquire(t.Context(), request(0))
	g.Expect(err).NotTo(HaveOccurred(), "it forgot the lock")
}

func TestWrongPassword(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "right")
	_, err := open(t, "redis://:wrong@"+server.Addr).Acquire(t.Context(), request(0))
	unavailable(NewWithT(t), err)
}

// Somebody else's key under that name, without a time to live, is respected.
func TestForeignKey(t *testing.T) {
	g := NewWithT(t)
	server := redistest.Start(t)
	address := "redis://" + server.Addr
	client, err := redis.Open(address)
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = client.Close() }()
	g.Expect(client.Set(t.Context(), "onebid:tenant:bid:lock:freelancer:1", "me", 0).Err()).To(Succeed())
	_, err = open(t, address).Acquire(t.Context(), request(20*time.Millisecond))
	timeout, ok := errors.AsType[*lock.TimeoutError](err)
	g.Expect(ok).To(BeTrue(), "%v", err)
	g.Expect(timeout.Holder).To(Equal("unknown"))
}

func TestURLs(t *testing.T) {
	g := NewWithT(t)
	for _, address := range []string{
		"redis://localhost", "rediss://user:pass@redis.example:6380/2?skip_verify=true", "unix:///run/redis.sock?db=1",
		"redis+sentinel://s1:26379?master_name=m&addr=s2:26379&password=p", "rediss+sentinel://s1?master_name=m",
		"redis+cluster://n1:6379?addr=n2:6379", "rediss+cluster://n1", "redis://localhost?dial_timeout=3s&max_retries=2",
	} {
		client, err := redis.Open(address)
		g.Expect(err).NotTo(HaveOccurred(), address)
		g.Expect(client.Close()).To(Succeed())
	}
	const secret = "hunter2"
	for address, want := range map[string]string{
		"":                                     "must begin with a scheme: redis, rediss",
		"localhost:6379":                       "must begin with a scheme",
		"http://localhost":                     `scheme "http" is not known: must be redis,`,
		"unix+cluster://x":                     `scheme "unix+cluster" is not known`,
		"redis+ring://x":                       `scheme "redis+ring" is not known`,
		"redis://localhost/a":                  `invalid database number: "a"`,
		"redis://localhost?colour=red":         "unexpected option: colour",
		"redis+cluster://localhost?addr=x":     "addr",
		"redis+sentinel://localhost":           "must say which master the sentinels watch, as in ?master_name=mymaster",
		"redis+sentinel://localhost?addr=x":    "addr",
		"redis://:" + secret + "#x@localhost":  "percent-encoded",
		"redis://:" + secret + "%@localhost":   "percent-encoded",
		"rediss+cluster://:" + secret + "%@n1": "percent-encoded",
	} {
		_, err := redis.Open(address)
		g.Expect(err).To(MatchError(ContainSubstring(want)), address)
		g.Expect(err.Error()).NotTo(ContainSubstring(secret))
		g.Expect(err.Error()).NotTo(ContainSubstring(url.QueryEscape(secret)))
	}
}
