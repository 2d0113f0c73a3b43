package lease_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
	"github.com/onebid-dev/onebid/pkg/scanner/lock/lease"
	"github.com/onebid-dev/onebid/pkg/scanner/lock/locktest"
)

var env *testenv.Environment

func TestMain(m *testing.M) { os.Exit(testenv.Main(m, testenv.Options{Bare: true}, &env)) }

func process(t *testing.T) lock.Backend {
	t.Helper()
	config := rest.CopyConfig(env.Config)
	config.QPS = -1
	clientset, err := kubernetes.NewForConfig(config)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return lease.New(lease.Options{
		Leases: clientset.CoordinationV1(), Host: "host", Clock: clock.RealClock{}, Wall: clock.RealClock{}, Log: logr.Discard(),
	})
}

func TestConformance(t *testing.T) {
	locktest.Run(t, locktest.Suite{
		Name: lock.Lease, Process: process, Stays: true,
		Namespace: func(t *testing.T) string { return env.Namespace(t) },
	})
}

func TestCooldown(t *testing.T) {
	g, ns := NewWithT(t), env.Namespace(t)
	until := time.Now().Add(time.Hour)
	g.Expect(env.Client.Create(t.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Namespace: ns, Name: "bid-lock.freelancer.1", Annotations: map[string]string{
			onebidv1.AnnotationEndedAt:       time.Now().Format(time.RFC3339Nano),
			onebidv1.AnnotationCooldownUntil: until.Format(time.RFC3339Nano),
			onebidv1.AnnotationOutcome:       "Withdrawn",
		},
	}})).To(Succeed())
	_, err := process(t).Acquire(t.Context(), lock.Request{
		Namespace: ns, Key: onebidv1.Key{Marketplace: "freelancer", PostingID: "1"}, TTL: time.Minute, Timeout: time.Minute,
	})
	cooldown, ok := errors.AsType[*lock.CooldownError](err)
	g.Expect(ok).To(BeTrue(), "%v", err)
	g.Expect(cooldown.Until).To(BeTemporally("~", until, time.Second))
	g.Expect(cooldown).To(MatchError(ContainSubstring("its last Bid ended as Withdrawn")))
}
