// Command dev keeps a control plane, the marketplace simulator and two managers running until Ctrl-C, with config/default
// installed, and says how to use them.
//
//	make dev                       # or: go run ./hack/dev
//	make dev ARGS='--keep-data'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/onebid-dev/onebid/internal/testenv"
)

const (
	managerNamespace = "onebid-system"
	managerAccount   = "onebid-manager"
	replicas         = 2
	stopGrace        = 15 * time.Second
)

func main() {
	err := run(os.Args[1:], os.Stdout)
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "dev: %v; see --help\n", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "dev:", err)
		os.Exit(1)
	}
}

// usageError is a mistake on the command line.
type usageError struct{ error }

// settings are what the flags say.
type settings struct {
	apiPort, marketPort int
	keepData            bool
	bin                 string
}

const about = `Usage: dev [flags]

Runs kube-apiserver, etcd, kube-controller-manager, the marketplace simulator and two managers until Ctrl-C, and installs
config/default. Everything that it writes is in .dev in the repository.

`

func parseFlags(args []string, root string, out io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("dev", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&s.apiPort, "port", 6443, "port of the API server; another one when it is taken")
	flags.IntVar(&s.marketPort, "simulator-port", 8090, "port of the simulator, which config/samples name; another one when it is taken")
	flags.BoolVar(&s.keepData, "keep-data", false, "go on with the objects and the ledger of the last time, instead of none")
	flags.StringVar(&s.bin, "bin", filepath.Join(root, "bin"), "`folder` of the binaries manager and marketsim")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, about)
		flags.SetOutput(out)
		flags.PrintDefaults()
		return s, err
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q; there are only flags", flags.Arg(0))
	}
	for _, port := range []int{s.apiPort, s.marketPort} {
		if err == nil && (port < 0 || port > 65535) {
			err = fmt.Errorf("port %d is not between 0 and 65535", port)
		}
	}
	if err != nil {
		return s, usageError{err}
	}
	return s, nil
}

func run(args []string, out io.Writer) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A second Ctrl-C ends this at once; on Linux the kernel then ends what it started.
	context.AfterFunc(ctx, stop)
	root, err := testenv.Root()
	if err != nil {
		return err
	}
	s, err := parseFlags(args, root, out)
	if err != nil {
		return err
	}
	dir, unlock, err := openFolder(filepath.Join(root, ".dev"), s.keepData)
	if err != nil {
		return err
	}
	defer unlock()
	log.SetLogger(logr.Discard())
	e := &environment{settings: s, dir: dir, out: out}
	defer func() { err = errors.Join(err, e.stop()) }()
	err = e.start(ctx)
	if err == nil {
		e.explain()
		err = e.watch(ctx)
	}
	if ctx.Err() != nil {
		return nil // Ctrl-C is how it is meant to end
	}
	return err
}

// openFolder makes the folder ready and locks it, so that a second one cannot start on the same data. Without keep, all
// that an earlier run left is removed.
func openFolder(dir string, keep bool) (string, func(), error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("making the folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", nil, fmt.Errorf("locking the folder: %w", err)
	}
	unlock := func() { _ = lock.Close() }
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		unlock()
		return "", nil, fmt.Errorf("another `make dev` uses %s; end it with Ctrl-C first", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		unlock()
		return "", nil, fmt.Errorf("reading the folder: %w", err)
	}
	for _, entry := range entries {
		if keep || entry.Name() == "lock" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			unlock()
			return "", nil, fmt.Errorf("removing the data of the last time: %w", err)
		}
	}
	return dir, unlock, nil
}
