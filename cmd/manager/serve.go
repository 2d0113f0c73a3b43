package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/apiclock"
	"github.com/onebid-dev/onebid/internal/ownership"
)

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(s))
	utilruntime.Must(onebidv1.AddToScheme(s))
	return s
}

// serve runs until the context is done. The heartbeat stops after the controllers, so that this replica counts as alive until
// the outcomes of its last calls are recorded.
func serve(ctx context.Context, o *options, log logr.Logger) error {
	wall := apiclock.New(clock.RealClock{})
	cfg, err := config.GetConfig()
	if err != nil {
		return fmt.Errorf("cannot find the API server: %w; set --kubeconfig, or run in a cluster", err)
	}
	cfg.Wrap(wall.Wrap)
	cfg.UserAgent = "onebid-manager/" + version
	leases, err := leaseClient(cfg)
	if err != nil {
		return err
	}
	me := ownership.NewIdentity(ownership.RoleController, o.podName)
	members := ownership.NewMembers(leases.CoordinationV1(), o.namespace, me, o.timing, clock.RealClock{}, log.WithName("members"))
	mgr, err := ctrl.NewManager(cfg, managerOptions(o, log))
	if err != nil {
		return err
	}
	p := &process{options: o, log: log, me: me, members: members, leases: leases, wall: wall, mgr: mgr}
	if err := p.setup(ctx); err != nil {
		return err
	}
	log.Info("Starting", "version", version, "identity", me.String())

	beating, stopBeating := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBeating()
	beats := make(chan error, 1)
	go func() { beats <- members.Run(beating) }()
	err = mgr.Start(ctx)
	stopBeating()
	return errors.Join(err, <-beats)
}

// leaseClient has its own connection and no rate limit, so that heartbeats never wait for other requests.
func leaseClient(cfg *rest.Config) (*kubernetes.Clientset, error) {
	own := rest.CopyConfig(cfg)
	own.QPS, own.Burst = -1, -1
	own.ContentType = runtime.ContentTypeProtobuf
	own.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return kubernetes.NewForConfig(own)
}

func managerOptions(o *options, log logr.Logger) ctrl.Options {
	return ctrl.Options{
		Scheme: scheme(),
		Logger: log,
		Cache:  cache.Options{DefaultTransform: cache.TransformStripManagedFields(), DefaultNamespaces: scopes(o.watched)},
		Metrics: metricsserver.Options{
			BindAddress: o.metricsAddress, SecureServing: true,
			FilterProvider: filters.WithAuthenticationAndAuthorization,
		},
		HealthProbeBindAddress:  o.healthAddress,
		GracefulShutdownTimeout: &o.shutdownGrace,
	}
}

// scopes returns the namespaces of the caches; nil is all.
func scopes(namespaces []string) map[string]cache.Config {
	var out map[string]cache.Config
	for _, name := range namespaces {
		if out == nil {
			out = map[string]cache.Config{}
		}
		out[name] = cache.Config{}
	}
	return out
}

// probes: healthy while the process responds; ready while its caches are synced and its heartbeat is acknowledged.
func probes(mgr ctrl.Manager, members *ownership.Members) error {
	ready := func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the caches are not synced yet")
		}
		return members.Ready()
	}
	return errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("ready", ready))
}
