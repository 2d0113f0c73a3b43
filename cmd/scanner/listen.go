package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	headerTimeout = 10 * time.Second
	closeTimeout  = 5 * time.Second
)

// listen serves metrics and probes until stop is called. Unlike the manager's, the metrics have no TLS and no
// authentication, which would need rights that a scanner does not have.
func (p *process) listen(ctx context.Context) (stop func() error, err error) {
	metrics := http.NewServeMux()
	metrics.Handle("GET /metrics", promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{}))
	probes := http.NewServeMux()
	probes.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	probes.HandleFunc("GET /readyz", p.ready)
	var servers []*http.Server
	stop = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		var errs []error
		for _, server := range servers {
			errs = append(errs, server.Shutdown(ctx))
		}
		return errors.Join(errs...)
	}
	for _, endpoint := range []struct {
		flag, address string
		handler       http.Handler
	}{
		{"metrics-bind-address", p.metricsAddress, metrics}, {"health-probe-bind-address", p.healthAddress, probes},
	} {
		if endpoint.address == "0" {
			continue
		}
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", endpoint.address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--%s: %w", endpoint.flag, err), stop())
		}
		server := &http.Server{Handler: endpoint.handler, ReadHeaderTimeout: headerTimeout}
		servers = append(servers, server)
		go func() { _ = server.Serve(listener) }() // ended by Shutdown
	}
	return stop, nil
}

// ready fails while the feed cannot be read, so that the Deployment shows it.
func (p *process) ready(w http.ResponseWriter, _ *http.Request) {
	if err := p.loop.Ready(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}
