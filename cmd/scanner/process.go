package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/onebid-dev/onebid/internal/scanner/feed"
	"github.com/onebid-dev/onebid/internal/scanner/loop"
	"github.com/onebid-dev/onebid/internal/scanner/rules"
	"github.com/onebid-dev/onebid/pkg/scanner"
)

// process is one replica of the scanner.
type process struct {
	*options
	log      logr.Logger
	registry *prometheus.Registry
	reader   *feed.Reader
	loop     *loop.Loop
	close    func() error
}

func newProcess(o *options, log logr.Logger, stdin io.Reader, stdout io.Writer) (*process, error) {
	p := &process{options: o, log: log, registry: prometheus.NewRegistry(), close: func() error { return nil }}
	text, err := os.ReadFile(o.config)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	settings, err := rules.ParseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("--config %s: %w", o.config, err)
	}
	decide, err := rules.New(settings)
	if err != nil {
		return nil, fmt.Errorf("--config %s: %w", o.config, err)
	}
	if p.reader, err = o.open(settings, decide, stdin); err != nil {
		return nil, fmt.Errorf("--config %s: %w", o.config, err)
	}
	processor, err := p.processor(settings.Marketplace, stdout)
	if err != nil {
		return nil, err
	}
	metrics := loop.NewMetrics()
	p.registry.MustRegister(metrics, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p.loop = loop.New(loop.Options{
		Feed: p.reader, Rules: decide, Processor: processor, Interval: settings.Feed.Interval(), Concurrency: o.concurrency,
		Grace: o.shutdownGrace, Metrics: metrics, Log: log, Clock: clock.RealClock{}, Jitter: rand.Float64,
	})
	return p, nil
}

func (o *options) open(settings *rules.Config, decide *rules.Rules, stdin io.Reader) (*feed.Reader, error) {
	in := settings.Feed.Options()
	if o.feed != "" {
		in.Location = o.feed
	}
	if in.Location == "" {
		return nil, errors.New("feed.location: must be set, or --feed")
	}
	in.Select, in.Stdin, in.UserAgent = decide.Select(), stdin, "onebid-scanner/"+version
	o.once = o.once || feed.Once(in.Location)
	reader, err := feed.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("feed.%w", err)
	}
	return reader, nil
}

// processor is the SDK, or a dry run.
func (p *process) processor(marketplace string, stdout io.Writer) (loop.Processor, error) {
	if p.dryRun {
		return loop.NewDryRun(marketplace, stdout), nil
	}
	cfg, err := config.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot find the API server: %w; set --kubeconfig, run in a cluster, or try --dry-run", err)
	}
	cfg.UserAgent = "onebid-scanner/" + version
	metrics := scanner.NewMetrics()
	p.registry.MustRegister(metrics)
	s, err := scanner.New(scanner.Options{
		Config: cfg, Namespace: p.namespace, Marketplace: marketplace, Name: p.name, Rebid: p.rebid,
		Metrics: metrics, Log: p.log.WithName("sdk"),
	})
	if err != nil {
		return nil, err
	}
	p.close = s.Close
	return s, nil
}

// run reads the feed once, or until the context is done, which is not an error.
func (p *process) run(ctx context.Context) error {
	p.log.Info("Starting", "version", version, "feed", p.reader.String(), "namespace", p.namespace, "dryRun", p.dryRun)
	work := p.readForever
	if p.once {
		work = p.readOnce
	}
	err := work(ctx)
	p.log.Info("Stopping")
	return errors.Join(err, p.close())
}

// readOnce serves no endpoints: it exits too soon for them.
func (p *process) readOnce(ctx context.Context) error {
	complete, err := p.loop.Once(ctx)
	if err == nil && !complete {
		return errors.New("stopped before all postings were processed")
	}
	return err
}

func (p *process) readForever(ctx context.Context) error {
	stop, err := p.listen(ctx)
	if err != nil {
		return err
	}
	p.loop.Run(ctx)
	return stop()
}
