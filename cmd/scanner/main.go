// Command scanner is the reference scanner: it reads postings from a feed, decides by the expressions of its configuration,
// and creates Bids. Any number of replicas may run at once. docs/scanner-reference.md describes flags and configuration.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/zapr"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	_ "golang.org/x/crypto/x509roots/fallback" // a scratch image has no CA roots of its own
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// version is set by the linker.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	// The second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "scanner:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	o, err := parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return nil
	case err != nil:
		return err
	case o.version:
		_, err := fmt.Fprintln(stdout, "onebid scanner", version)
		return err
	}
	logger, err := newLogger(o)
	if err != nil {
		return err
	}
	log := zapr.NewLogger(logger)
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	p, err := newProcess(o, log, stdin, stdout)
	if err != nil {
		return err
	}
	return p.run(ctx)
}

// newLogger writes to stderr, because a dry run writes to stdout.
func newLogger(o *options) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(o.logLevel)
	if err != nil {
		return nil, fmt.Errorf("--log-level: %q must be debug, info, warn or error", o.logLevel)
	}
	if o.logFormat != "json" && o.logFormat != "console" {
		return nil, fmt.Errorf("--log-format: %q must be json or console", o.logFormat)
	}
	config := zap.NewProductionConfig()
	config.Level = zap.NewAtomicLevelAt(level)
	config.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	config.Encoding = o.logFormat
	// Errors are about the feed, so a stack trace of the scanner does not help.
	config.DisableStacktrace = true
	return config.Build()
}
