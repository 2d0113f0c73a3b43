// Command demo shows what onebid promises on one machine: scanner processes race for the same postings, a manager is
// killed while bids are under way, some bids are withdrawn, and the marketplace's ledger says what became of it.
//
//	make demo                                   # or: go run ./hack/demo
//	make demo ARGS='--market none --postings 200'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/onebid-dev/onebid/internal/testenv"
)

func main() { os.Exit(exitCode(run(os.Args[1:]))) }

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A second Ctrl-C ends the demo at once; on Linux the kernel then ends what it started.
	context.AfterFunc(ctx, stop)
	if len(args) > 0 && args[0] == "scanner" {
		return runScanner(ctx, args[1:], os.Stdin, os.Stdout)
	}
	return runDemo(ctx, args)
}

var errBroken = errors.New("a promise was broken")

func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "demo: %v; see --help\n", err)
		return 2
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(os.Stderr, "demo: interrupted; everything that it started has ended")
		return 130
	default:
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
}

var errInterrupted = errors.New("interrupted")

func runDemo(ctx context.Context, args []string) (err error) {
	root, err := testenv.Root()
	if err != nil {
		return err
	}
	s, err := parseFlags(args, root, os.Stdout)
	if err != nil {
		return err
	}
	// The watch reports lost connections at the end, when the API server is gone.
	klog.SetOutput(io.Discard)
	klog.LogToStderr(false)
	log.SetLogger(logr.Discard())
	dir, err := os.MkdirTemp("", "onebid-demo-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	st := &stage{settings: s, dir: dir, place: placement{namespace: "demo", marketplace: s.market}}
	defer func() {
		err = errors.Join(err, st.stop())
		if ctx.Err() != nil {
			err = errInterrupted
		}
		if s.keep || err != nil && !errors.Is(err, errInterrupted) {
			fmt.Fprintf(os.Stderr, "demo: the ledger and the logs are in %s\n", dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	p := &progress{out: os.Stdout, terminal: isTerminal(os.Stdout), started: time.Now(), settings: s}
	if err := st.setUp(ctx, p); err != nil {
		return err
	}
	r, err := st.play(ctx, p)
	if err != nil {
		return err
	}
	writeTable(os.Stdout, r)
	return conclusion(r.verdict)
}

// conclusion is the error that the demo ends with.
func conclusion(v verdict) error {
	if len(v.Broken) > 0 {
		return errBroken
	}
	return nil
}
