package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Await calls the condition, now and then every interval, until it returns nil. It gives up when the context ends, with
// the condition's last error, or at once when one of the processes has ended.
func Await(ctx context.Context, interval time.Duration, condition func(context.Context) error, needs ...*Process) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := condition(ctx)
		if err == nil {
			return nil
		}
		for _, p := range needs {
			if !p.Alive() {
				return errors.Join(fmt.Errorf("%s ended too early", p.Name), p.Err())
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on: the wished one if that is free, otherwise any.
func FreePort(ctx context.Context, wished int) (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(wished)))
	if err != nil && wished != 0 {
		return FreePort(ctx, 0)
	}
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("finding a free port: %T is no TCP address", l.Addr())
	}
	return address.Port, l.Close()
}

// address is a port of this machine, as host:port.
func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
