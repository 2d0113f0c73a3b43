// Command marketsim runs the marketplace simulator: an HTTP server that takes bids and keeps an append-only ledger.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/onebid-dev/onebid/internal/marketsim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "marketsim:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "marketsim:", err)
		os.Exit(1)
	}
}

// usageError is a mistake on the command line.
type usageError struct{ error }

// run serves until the context ends. Once it listens, it prints its address to stdout.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("marketsim", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	listen := flags.String("listen", "127.0.0.1:8090", "host:port to listen on; port 0 picks a free one")
	ledger := flags.String("ledger", "marketsim-ledger.jsonl", "file of the ledger; created if it does not exist")
	if err := flags.Parse(args); err != nil {
		flags.SetOutput(stderr)
		flags.Usage()
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError{err}
	}
	if flags.NArg() > 0 {
		return usageError{fmt.Errorf("unexpected argument %q: marketsim takes flags only, see --help", flags.Arg(0))}
	}
	if *ledger == "" {
		return usageError{errors.New("--ledger is empty; it must be the path of a file")}
	}
	return serve(ctx, *listen, *ledger, stdout)
}

func serve(ctx context.Context, address, ledger string, stdout io.Writer) (err error) {
	server, err := marketsim.New(marketsim.Options{LedgerPath: ledger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("--listen %q: %w", address, err)
	}
	if _, err := fmt.Fprintf(stdout, "marketsim listening on http://%s\n", reachable(l.Addr())); err != nil {
		return errors.Join(err, l.Close())
	}
	return server.Serve(ctx, l)
}

// reachable is the address of the listener for a client on this host.
func reachable(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
	}
	return a.String()
}
