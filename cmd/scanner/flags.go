package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
	_ "sigs.k8s.io/controller-runtime/pkg/client/config" // registers --kubeconfig

	"github.com/onebid-dev/onebid/internal/scanner/feed"
)

type options struct {
	config, feed, namespace, name string
	dryRun, once, rebid           bool
	concurrency                   int
	shutdownGrace                 time.Duration
	metricsAddress, healthAddress string
	logLevel, logFormat           string
	version                       bool
}

func parse(args []string) (*options, error) {
	o := &options{}
	flags := pflag.NewFlagSet("scanner", pflag.ContinueOnError)
	flags.SortFlags = false
	if f := flag.CommandLine.Lookup("kubeconfig"); f != nil {
		flags.AddGoFlag(f)
	}
	flags.StringVar(&o.config, "config", "", "the configuration file, see docs/scanner-reference.md; required")
	flags.StringVar(&o.feed, "feed", "", "URL, file, or - for standard input; overrides feed.location of the configuration")
	flags.StringVar(&o.namespace, "namespace", envOr("POD_NAMESPACE", "default"),
		"namespace of the Marketplace, the Postings and the Bids; $POD_NAMESPACE when set")
	flags.StringVar(&o.name, "name", os.Getenv("POD_NAME"), "name of this scanner on Leases and verdicts; $POD_NAME, else the host's name")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the bids to standard output, and send nothing to the API server")
	flags.BoolVar(&o.once, "once", false,
		"read the feed once and exit, with an error when the reading or a posting failed; serves no endpoints")
	flags.BoolVar(&o.rebid, "rebid", false,
		"bid again on postings whose last bid was withdrawn or refused, after its Bid was deleted and the cooldown")
	flags.IntVar(&o.concurrency, "concurrency", 8, "maximum number of postings processed at once")
	flags.DurationVar(&o.shutdownGrace, "graceful-shutdown-timeout", 15*time.Second,
		"how long to wait at shutdown for postings that are being processed")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "address of /metrics; 0 disables it")
	flags.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 disables them")
	flags.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&o.logFormat, "log-format", "json", "json or console")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: the scanner takes flags only, see --help", flags.Arg(0))
	}
	if o.version {
		return o, nil
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *options) check() error {
	var errs []error
	if o.config == "" {
		errs = append(errs, errors.New("--config: must be the path of a file, see docs/scanner-reference.md"))
	}
	if wrong := validation.IsDNS1123Label(o.namespace); len(wrong) > 0 {
		errs = append(errs, fmt.Errorf("--namespace: %q is not a valid namespace name: %s", o.namespace, wrong[0]))
	}
	if o.concurrency < 1 {
		errs = append(errs, fmt.Errorf("--concurrency: %d must be at least 1", o.concurrency))
	}
	if o.shutdownGrace < 0 {
		errs = append(errs, fmt.Errorf("--graceful-shutdown-timeout: %s must not be negative", o.shutdownGrace))
	}
	if feed.Once(o.feed) {
		o.once = true
	}
	return errors.Join(errs...)
}

func envOr(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}
