package scanner

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/text"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
	"github.com/onebid-dev/onebid/pkg/scanner/lock/fallback"
	"github.com/onebid-dev/onebid/pkg/scanner/lock/lease"
	"github.com/onebid-dev/onebid/pkg/scanner/lock/memory"
	"github.com/onebid-dev/onebid/pkg/scanner/lock/redis"
)

const (
	// probeInterval is how often a Redis that was lost is tried again, and probeTimeout how long that may take.
	probeInterval = time.Second
	probeTimeout  = 500 * time.Millisecond

	eventTimeout = 10 * time.Second
)

// Reasons of the events that a scanner writes on its Marketplace.
const (
	reasonDegraded = "LockBackendUnavailable"
	reasonRestored = "LockBackendRestored"
)

// openBackend makes the backend that Locks ask for.
func (s *Scanner) openBackend() error {
	s.close = func() error { return nil }
	if s.backend = s.locks.Backend; s.backend != nil {
		return nil
	}
	kind, err := lockType("Locks.Type", s.locks.Type)
	if err != nil {
		return err
	}
	leases := lease.New(lease.Options{
		Leases: s.kube.CoordinationV1(), Host: s.identity, Clock: s.clock, Wall: s.wall, Log: s.log,
	})
	switch kind {
	case lock.Lease:
		s.backend = leases
	case lock.Memory:
		s.backend = memory.New(s.clock)
	case lock.Redis:
		return s.openRedis(leases)
	}
	return nil
}

func (s *Scanner) openRedis(leases lock.Backend) error {
	server, err := redis.Open(s.locks.RedisURL)
	if err != nil {
		return &ConfigError{Field: EnvRedisURL, Reason: err.Error()}
	}
	first := redis.New(server, s.identity)
	s.close = first.Close
	s.backend = fallback.New(fallback.Options{
		First: first, Second: leases, Ping: first.Ping, Interval: probeInterval, PingTimeout: probeTimeout,
		Changed: s.switched, Clock: s.clock,
	})
	return nil
}

// switched reports, by metric, log line and event, that Redis was lost or came back.
func (s *Scanner) switched(cause error) {
	s.metrics.switched(s.marketplace, lock.Redis, cause != nil)
	kind, reason, note := corev1.EventTypeNormal, reasonRestored, "Redis is back: scanners lock postings there again"
	if cause != nil {
		kind, reason = corev1.EventTypeWarning, reasonDegraded
		note = fmt.Sprintf("Redis cannot be reached, so postings are locked by Leases until it is back: %v", cause)
	}
	s.log.Info(note, "namespace", s.namespace, "marketplace", s.marketplace)
	s.events.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), eventTimeout)
		defer cancel()
		event := s.event(kind, reason, note)
		if _, err := s.kube.EventsV1().Events(s.namespace).Create(ctx, event, metav1.CreateOptions{}); err != nil {
			s.log.Info("Could not write an event", "event", reason, "cause", err.Error())
		}
	})
}

// What the API server takes of an event, in bytes.
const (
	maxInstance = 128
	maxNote     = 1024
)

func (s *Scanner) event(kind, reason, note string) *eventsv1.Event {
	market := corev1.ObjectReference{
		APIVersion: onebidv1.GroupVersion.String(), Kind: "Marketplace", Namespace: s.namespace, Name: s.marketplace,
		UID: s.markets.uid(),
	}
	return &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{GenerateName: s.marketplace + "-", Namespace: s.namespace},
		EventTime:           metav1.NewMicroTime(s.wall.Now()),
		ReportingController: "onebid.dev/scanner",
		ReportingInstance:   text.Cut(s.identity, maxInstance),
		Action:              "LockPosting",
		Reason:              reason,
		Regarding:           market,
		Note:                text.Cut(note, maxNote),
		Type:                kind,
	}
}
