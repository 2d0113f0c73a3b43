// Command manager runs onebid's controllers. Any number of replicas may run at once; all of them are active.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

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
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	o, err := parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return nil
	case err != nil:
		return err
	case o.version:
		_, err := fmt.Println("onebid manager", version)
		return err
	}
	logger, err := newLogger(o)
	if err != nil {
		return err
	}
	log := zapr.NewLogger(logger)
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	return serve(ctrl.SetupSignalHandler(), o, log)
}

func newLogger(o *options) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(o.logLevel)
	if err != nil {
		return nil, fmt.Errorf("--log-level: %q must be debug, info, warn or error", o.logLevel)
	}
	config := zap.NewProductionConfig()
	config.Level = zap.NewAtomicLevelAt(level)
	config.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	config.Encoding = o.logFormat
	if o.logFormat != "json" && o.logFormat != "console" {
		return nil, fmt.Errorf("--log-format: %q must be json or console", o.logFormat)
	}
	return config.Build()
}

// kubeconfigFlag is the flag that controller-runtime registers for its own configuration.
func kubeconfigFlag(flags *pflag.FlagSet) {
	if f := flag.CommandLine.Lookup("kubeconfig"); f != nil {
		flags.AddGoFlag(f)
	}
}
