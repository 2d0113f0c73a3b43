package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/onebid-dev/onebid/internal/marketplace/egress"
	"github.com/onebid-dev/onebid/internal/ownership"
)

type options struct {
	namespace, podName                string
	watched                           []string
	metricsAddress, healthAddress     string
	allowPrivate                      []string
	concurrency                       int
	timing                            ownership.Timing
	tombstoneRetention, sweepInterval time.Duration
	shutdownGrace                     time.Duration
	logLevel, logFormat               string
	version                           bool

	egress egress.Policy
}

func parse(args []string) (*options, error) {
	o := &options{timing: ownership.DefaultTiming()}
	flags := pflag.NewFlagSet("manager", pflag.ContinueOnError)
	flags.SortFlags = false
	kubeconfigFlag(flags)
	flags.StringVar(&o.namespace, "namespace", envOr("POD_NAMESPACE", "onebid-system"),
		"namespace of the replicas' heartbeat Leases; $POD_NAMESPACE when set")
	flags.StringVar(&o.podName, "pod-name", envOr("POD_NAME", hostname()),
		"name of this replica in Leases, together with a UUID of the process; $POD_NAME when set")
	flags.StringSliceVar(&o.watched, "watch-namespaces", nil,
		"namespaces to work in; all when not set. Replicas that share --namespace must have the same value")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443",
		"address of /metrics, over TLS with authentication; 0 disables it")
	flags.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 disables them")
	flags.StringSliceVar(&o.allowPrivate, "allow-private-addresses", nil,
		"allow marketplaces at private and loopback addresses (true), or at private addresses in the given CIDRs")
	flags.Lookup("allow-private-addresses").NoOptDefVal = "true"
	flags.IntVar(&o.concurrency, "max-concurrent-reconciles", 32, "maximum number of Bids reconciled at once")
	flags.DurationVar(&o.timing.Heartbeat, "heartbeat-duration", o.timing.Heartbeat,
		"how long a replica counts as alive after its last heartbeat")
	flags.DurationVar(&o.timing.Renew, "heartbeat-renew-interval", o.timing.Renew, "time between two heartbeats")
	flags.DurationVar(&o.timing.Margin, "heartbeat-margin", o.timing.Margin,
		"no call to a marketplace starts when less than this is left of the heartbeat's duration")
	flags.DurationVar(&o.timing.Pause, "max-pause", o.timing.Pause,
		"longest pause of the process, between the last check and the first byte of a call, that the settle time covers")
	flags.Float64Var(&o.timing.Drift, "clock-drift", o.timing.Drift,
		"maximal error of the rate of a host's clock, as a fraction")
	flags.DurationVar(&o.tombstoneRetention, "tombstone-retention", time.Hour, "minimal time to keep the Lease of an ended Bid")
	flags.DurationVar(&o.sweepInterval, "sweep-interval", 5*time.Minute, "time between two sweeps of expired Leases")
	flags.DurationVar(&o.shutdownGrace, "graceful-shutdown-timeout", 45*time.Second,
		"how long to wait at shutdown for in-flight calls and the recording of their outcomes")
	flags.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&o.logFormat, "log-format", "json", "json or console")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: the manager takes flags only, see --help", flags.Arg(0))
	}
	if flags.Changed("watch-namespaces") && len(o.watched) == 0 {
		return nil, errors.New("--watch-namespaces: is empty; list namespaces, or omit the flag to work in all")
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *options) complete() error {
	var errs []error
	if err := o.timing.Validate(); err != nil {
		errs = append(errs, err)
	}
	policy, err := egress.ParsePolicy(o.allowPrivate)
	if err != nil {
		errs = append(errs, err)
	}
	o.egress = policy
	if o.concurrency < 1 {
		errs = append(errs, fmt.Errorf("--max-concurrent-reconciles: %d must be at least 1", o.concurrency))
	}
	if o.namespace == "" {
		errs = append(errs, errors.New("--namespace: must not be empty"))
	}
	if o.podName == "" {
		errs = append(errs, errors.New("--pod-name: must not be empty"))
	}
	return errors.Join(append(errs, o.checkWatched()...)...)
}

// checkWatched refuses invalid namespace names: a watch of one would wait forever, without an error.
func (o *options) checkWatched() []error {
	var errs []error
	for _, name := range o.watched {
		if wrong := validation.IsDNS1123Label(name); len(wrong) > 0 {
			errs = append(errs, fmt.Errorf("--watch-namespaces: %q is not a valid namespace name: %s", name, wrong[0]))
		}
	}
	return errs
}

func envOr(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "onebid"
	}
	return name
}
