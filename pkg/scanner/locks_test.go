package scanner_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/scanner"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
	"github.com/onebid-dev/onebid/pkg/scanner/lock/memory"
)

func environment(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, found := values[name]
		return value, found
	}
}

func TestLocksFromEnvironment(t *testing.T) {
	g := NewWithT(t)
	for _, c := range []struct {
		why  string
		env  map[string]string
		want scanner.Locks
	}{
		{"nothing is set", nil, scanner.Locks{Type: lock.Lease}},
		{"empty is not set", map[string]string{"BID_LOCK_MANAGER_TYPE": "", "BID_LOCK_TIMEOUT": "", "REDIS_LOCK_TTL": ""},
			scanner.Locks{Type: lock.Lease}},
		{"another word", map[string]string{"BID_LOCK_MANAGER_TYPE": "database", "REDIS_LOCK_TTL": "60"},
			scanner.Locks{Type: lock.Lease}},
		{"memory", map[string]string{"BID_LOCK_MANAGER_TYPE": "memory", "BID_LOCK_TIMEOUT": "3", "BID_LOCK_RETRY_COUNT": "5"},
			scanner.Locks{Type: lock.Memory, Timeout: 3 * time.Second, Retries: 5}},
		{"zero is a value", map[string]string{"BID_LOCK_TIMEOUT": "0", "BID_LOCK_RETRY_COUNT": "0"},
			scanner.Locks{Type: lock.Lease, Timeout: -time.Second, Retries: -1}},
		{"redis", map[string]string{"BID_LOCK_MANAGER_TYPE": "redis", "REDIS_URL": "redis://r", "REDIS_LOCK_TTL": "60"},
			scanner.Locks{Type: lock.Redis, RedisURL: "redis://r", TTL: time.Minute}},
	} {
		locks, err := scanner.LocksFromEnvironment(environment(c.env))
		g.Expect(err).NotTo(HaveOccurred(), c.why)
		g.Expect(locks).To(Equal(c.want), c.why)
	}
	for _, c := range []struct{ name, value, want string }{
		{"BID_LOCK_MANAGER_TYPE", "Redis", `BID_LOCK_MANAGER_TYPE: invalid value "Redis": must be lease (or database), redis or memory`},
		{"BID_LOCK_MANAGER_TYPE", "redis", `REDIS_URL: must be set when BID_LOCK_MANAGER_TYPE is "redis"`},
		{"BID_LOCK_TIMEOUT", "10s", `BID_LOCK_TIMEOUT: invalid value "10s": must be a whole number from 0 to 600`},
		{"BID_LOCK_TIMEOUT", "-1", `BID_LOCK_TIMEOUT: invalid value "-1": must be a whole number from 0 to 600`},
		{"BID_LOCK_RETRY_COUNT", "101", `BID_LOCK_RETRY_COUNT: invalid value "101": must be a whole number from 0 to 100`},
		{"REDIS_LOCK_TTL", "4", `REDIS_LOCK_TTL: invalid value "4": must be a whole number from 5 to 86400`},
	} {
		_, err := scanner.LocksFromEnvironment(environment(map[string]string{c.name: c.value}))
		_, ok := errors.AsType[*scanner.ConfigError](err)
		g.Expect(ok).To(BeTrue(), "%v", err)
		g.Expect(err).To(MatchError(c.want))
	}
}

func TestOptions(t *testing.T) {
	g := NewWithT(t)
	config := &rest.Config{Host: "https://localhost"}
	for _, c := range []struct {
		options scanner.Options
		want    string
	}{
		{scanner.Options{}, "Config: must be set"},
		{scanner.Options{Config: config}, "Namespace: must be set"},
		{scanner.Options{Config: config, Namespace: "n", Marketplace: "Not A Label"}, "must be a DNS label"},
		{scanner.Options{Config: config, Namespace: "n", Marketplace: "m", Locks: &scanner.Locks{Type: "etcd"}},
			`Locks.Type: invalid value "etcd": must be lease (or database), redis or memory`},
		{scanner.Options{Config: config, Namespace: "n", Marketplace: "m", Locks: &scanner.Locks{Type: "redis", RedisURL: "r"}},
			"REDIS_URL: must begin with a scheme"},
		{scanner.Options{Config: &rest.Config{Host: "://"}, Namespace: "n", Marketplace: "m"}, "host must be a URL"},
		{scanner.Options{
			Config: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CAFile: "/nowhere"}}, Namespace: "n", Marketplace: "m",
		}, "/nowhere"},
	} {
		_, err := scanner.New(c.options)
		g.Expect(err).To(MatchError(ContainSubstring(c.want)))
	}

	// Defaults: the environment, and the host's name.
	t.Setenv(scanner.EnvLockType, "nonsense")
	_, err := scanner.New(scanner.Options{Config: config, Namespace: "n", Marketplace: "m"})
	g.Expect(err).To(MatchError(ContainSubstring("BID_LOCK_MANAGER_TYPE")))
	t.Setenv(scanner.EnvLockType, "memory")
	s, err := scanner.New(scanner.Options{Config: config, Namespace: "n", Marketplace: "m"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.Close()).To(Succeed())
}

func TestHostNameIsTheDefault(t *testing.T) {
	w := newWorld(t)
	s, _ := w.scanner(func(o *scanner.Options) { o.Name = "" })
	w.process(s, posting("1"), unsuitable)
	host, err := os.Hostname()
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.posting("1").Spec.Evaluation.By).To(Equal(host))
}

func TestAcquireAndRelease(t *testing.T) {
	w := newWorld(t, func(m *onebidv1.Marketplace) { m.Spec.Lock.TTLSeconds, m.Spec.Lock.AcquireTimeoutSeconds = 77, 1 })
	s, wire := w.scanner()
	other, _ := w.scanner()
	w.warm(s)
	wire.Sent()
	held, err := s.Acquire(t.Context(), "1")
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(*w.leases()[0].Spec.LeaseDurationSeconds).To(BeEquivalentTo(77), "the Marketplace says so")
	_, err = other.Acquire(t.Context(), "1")
	timeout, ok := errors.AsType[*lock.TimeoutError](err)
	w.Expect(ok).To(BeTrue(), "%v", err)
	w.Expect(timeout.Waited).To(BeNumerically(">=", time.Second))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.Expect(s.Release(ctx, held)).To(Succeed(), "also when the work was canceled")
	w.Expect(wire.Sent()).To(Equal([]string{"POST leases", "DELETE leases"}))
	w.Expect(s.Release(t.Context(), held)).To(Succeed(), "there is nothing left to do")

	w.Expect(s.WithLock(t.Context(), "2", func(ctx context.Context) error {
		w.Expect(s.WithLock(ctx, "2", nil)).To(MatchError(ContainSubstring("locked by")))
		return errNetwork
	})).To(MatchError(errNetwork))
	w.Expect(w.leases()).To(BeEmpty())

	held, err = s.Acquire(t.Context(), "3")
	w.Expect(err).NotTo(HaveOccurred())
	wire.Spoil(failing("DELETE leases", errNetwork))
	w.Expect(s.Release(t.Context(), held)).To(MatchError(errNetwork))
	w.Expect(s.WithLock(t.Context(), "4", func(context.Context) error { return nil })).To(Succeed(), "the lock runs out by itself")
}

// renewing tells when its locks are renewed.
type renewing struct {
	lock.Backend
	results chan error
}

func (r *renewing) Acquire(ctx context.Context, req lock.Request) (lock.Lock, error) {
	held, err := r.Backend.Acquire(ctx, req)
	return &renewed{Lock: held, results: r.results}, err
}

type renewed struct {
	lock.Lock
	results chan error
}

func (r *renewed) Renew(context.Context) error { return <-r.results }

// A lock is renewed as long as the work takes, and when it is lost the work goes on.
func TestRenewal(t *testing.T) {
	w := newWorld(t)
	backend := &renewing{Backend: memory.New(clock.RealClock{}), results: make(chan error)}
	s, _ := w.scanner(locks(scanner.Locks{Backend: backend, TTL: 30 * time.Millisecond}))
	result := w.process(s, posting("1"), func(ctx context.Context, p *onebidv1.Posting) (scanner.Verdict, error) {
		for _, result := range []error{nil, errNetwork, nil, lock.ErrLost} {
			backend.results <- result
		}
		w.Consistently(func() bool {
			select {
			case backend.results <- nil:
				return true
			default:
				return false
			}
		}, "100ms").Should(BeFalse(), "a lost lock is renewed no more")
		return suitable(ctx, p)
	})
	w.Expect(result.Outcome).To(Equal(scanner.Created))
}

// failingFirst fails as often as it is told to.
type failingFirst struct {
	lock.Backend
	errs []error
}

func (f *failingFirst) Acquire(ctx context.Context, req lock.Request) (lock.Lock, error) {
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, err
	}
	return f.Backend.Acquire(ctx, req)
}

func TestRetriesOfALock(t *testing.T) {
	w := newWorld(t)
	down := &lock.UnavailableError{Backend: "x", Err: errNetwork}
	backend := &failingFirst{Backend: memory.New(clock.RealClock{})}
	s, _ := w.scanner(locks(scanner.Locks{Backend: backend}))
	try := func(s *scanner.Scanner, errs ...error) error {
		backend.errs = errs
		held, err := s.Acquire(t.Context(), "1")
		if err == nil {
			w.Expect(s.Release(t.Context(), held)).To(Succeed())
		}
		return err
	}
	w.Expect(try(s, down, down, down)).To(Succeed(), "three times by default")
	w.Expect(try(s, down, down, down, down)).To(MatchError(down))
	w.Expect(try(s, &lock.TimeoutError{})).NotTo(Succeed(), "that it is held is an answer")
	once, _ := w.scanner(locks(scanner.Locks{Backend: backend, Retries: 1}))
	w.Expect(try(once, down)).To(Succeed())
	w.Expect(try(once, down, down)).To(MatchError(down))
}

func TestMetrics(t *testing.T) {
	w := newWorld(t)
	metrics, registry := scanner.NewMetrics(), prometheus.NewPedanticRegistry()
	w.Expect(registry.Register(metrics)).To(Succeed())
	s, _ := w.scanner(func(o *scanner.Options) {
		o.Metrics, o.Locks = metrics, &scanner.Locks{Timeout: 50 * time.Millisecond}
	})
	w.process(s, posting("1"), suitable)
	w.process(s, posting("1"), suitable)
	w.process(s, posting("2"), unsuitable)
	other, _ := w.scanner(func(o *scanner.Options) { o.Metrics = metrics })
	w.process(other, posting("1"), w.never()) // it has a Bid, which is neither a conflict nor a timeout
	held, err := s.Acquire(t.Context(), "3")
	w.Expect(err).NotTo(HaveOccurred())
	_, err = s.Acquire(t.Context(), "3")
	w.Expect(err).To(HaveOccurred())
	w.Expect(s.Release(t.Context(), held)).To(Succeed())
	for name, want := range map[string]int{
		"onebid_lock_attempts_total": 5, "onebid_lock_successes_total": 3, "onebid_lock_conflicts_total": 1,
		"onebid_lock_timeouts_total": 1, "onebid_lock_acquisition_duration_seconds": 3, "onebid_bids_created_total": 1,
		"onebid_duplicates_prevented_total": 2, "onebid_lock_degraded": 0,
	} {
		w.Expect(value(w, registry, name)).To(BeEquivalentTo(want), name)
	}
	families, err := registry.Gather()
	w.Expect(err).NotTo(HaveOccurred())
	for _, family := range families {
		for _, label := range family.GetMetric()[0].GetLabel() {
			w.Expect(map[string]string{"marketplace": marketName, "backend": lock.Lease}).
				To(HaveKeyWithValue(label.GetName(), label.GetValue()))
		}
	}
}
