package process

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

// Await calls the condition at each interval until it returns nil. It gives up when the context ends, with the condition's
// last error, or at once when one of the processes has ended.
func Await(ctx context.Context, interval time.Duration, condition func(context.Context) error, needs ...*Process) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := condition(ctx)
		if err == nil {
			return nil
		}
		for _, p := range needs {
			if p.Ended() {
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

// Below the ports that outgoing connections are given, and above those of well-known services.
const firstPort, ports = 20000, 12000

var lastPort atomic.Int64

// FreeAddress is an address of this machine that nothing listens on: with the wished port if that is free and not 0, else with
// one that no outgoing connection is given meanwhile. Each call returns another one, so that processes started beside
// each other differ.
func FreeAddress(wished int) (string, error) {
	lastPort.CompareAndSwap(0, int64(rand.IntN(ports)))
	for port := int64(wished); ; port = firstPort + lastPort.Add(1)%ports {
		if port == 0 {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.FormatInt(port, 10))
		l, err := net.Listen("tcp", address)
		if err == nil {
			return address, l.Close()
		}
		if port == firstPort+ports-1 {
			return "", fmt.Errorf("no port is free: %w", err)
		}
	}
}
