package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/onebid-dev/onebid/internal/testenv"
	"github.com/onebid-dev/onebid/internal/testenv/process"
)

// environment is what runs.
type environment struct {
	settings settings
	dir      string
	out      io.Writer

	address    string // of the API server
	plane      *testenv.Environment
	market     *process.Simulator
	kubeconfig string // of the managers
	managers   []*process.Manager
	keeping    sync.WaitGroup // of managers
}

func (e *environment) logs() string { return filepath.Join(e.dir, "logs") }

func (e *environment) say(format string, args ...any) {
	fmt.Fprintf(e.out, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// start returns when everything is ready. Stop is needed also when it fails.
func (e *environment) start(ctx context.Context) error {
	var err error
	if e.address, err = process.FreeAddress(e.settings.apiPort); err != nil {
		return err
	}
	e.say("starting the control plane")
	e.plane, err = testenv.Start(ctx, testenv.Options{Bare: true, ControllerManager: true, Dir: e.dir, Address: e.address})
	if err != nil {
		return err
	}
	e.say("installing config/default")
	if err := e.plane.InstallDefault(ctx); err != nil {
		return err
	}
	e.market, err = process.StartSimulator(ctx, filepath.Join(e.settings.bin, "marketsim"),
		filepath.Join(e.dir, "ledger.jsonl"), e.logs(), e.settings.marketPort)
	if err != nil {
		return err
	}
	user, err := e.plane.Login(ctx, managerNamespace, managerAccount)
	if err != nil {
		return err
	}
	e.kubeconfig = user.Kubeconfig
	e.managers = make([]*process.Manager, replicas)
	for i := range e.managers {
		if e.managers[i], err = e.startManager(i); err != nil {
			return err
		}
	}
	return process.AwaitReady(ctx, e.managers...)
}

func (e *environment) startManager(i int) (*process.Manager, error) {
	return process.Replica{
		Binary: filepath.Join(e.settings.bin, "manager"), Name: fmt.Sprintf("manager-%d", i+1), Logs: e.logs(),
		Kubeconfig: e.kubeconfig, Flags: []string{"--namespace=" + managerNamespace, "--allow-private-addresses"},
	}.Start()
}

// watch returns when the context ends, or when something ends that cannot be started again.
func (e *environment) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer e.keeping.Wait()
	defer cancel(nil)
	for i := range e.managers {
		e.keeping.Go(func() {
			if err := e.keepManager(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	select {
	case <-e.market.Done():
		return errors.Join(errors.New("the simulator ended"), e.market.Err())
	case err := <-e.planeEnded(ctx):
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// planeEnded gets an error once the API server has not been listening for a while.
func (e *environment) planeEnded(ctx context.Context) <-chan error {
	const tries = 5
	ended := make(chan error, 1)
	go func() {
		missed := 0
		err := process.Await(ctx, time.Second, func(context.Context) error {
			connection, err := net.Dial("tcp", e.address)
			if err == nil {
				missed = 0
				return errors.Join(errors.New("it listens"), connection.Close())
			}
			missed++
			if missed < tries {
				return err
			}
			return nil
		})
		if err == nil {
			ended <- errors.New("the control plane ended; see control-plane.log")
		}
	}()
	return ended
}

// keepManager starts a manager again whenever it ends, as a kubelet would: at once at first, then less and less often
// while it does not stay up.
func (e *environment) keepManager(ctx context.Context, i int) error {
	const longest, stable = 30 * time.Second, time.Minute
	m, pause := e.managers[i], time.Second
	for {
		started := time.Now()
		select {
		case <-ctx.Done():
			return nil
		case <-m.Done():
		}
		if time.Since(started) > stable {
			pause = time.Second
		}
		e.say("%s (process %d) has ended; its log is %s; starting it again in %s", m.Name, m.Pid(), m.Log, pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, longest)
		var err error
		if m, err = e.startManager(i); err != nil {
			return err
		}
		e.managers[i] = m
		e.say("%s is process %d now", m.Name, m.Pid())
	}
}

// stop ends everything: managers first, so that they can finish what is under way.
func (e *environment) stop() error {
	e.say("stopping; a call that is under way is finished first")
	var managers sync.WaitGroup
	for _, m := range e.managers {
		if m != nil {
			managers.Go(func() { m.Stop(stopGrace) })
		}
	}
	managers.Wait()
	if e.market != nil {
		e.market.Stop(stopGrace)
	}
	var err error
	if e.plane != nil {
		err = e.plane.Stop()
	}
	e.say("stopped; the logs are in %s", e.logs())
	return err
}

// explain says how to use it.
func (e *environment) explain() {
	path := ""
	if _, err := exec.LookPath("kubectl"); err != nil {
		path = fmt.Sprintf("  export PATH=%s:$PATH   # for kubectl, since you have none\n", filepath.Dir(e.plane.KubectlPath()))
	}
	fmt.Fprintf(e.out, `
Everything runs: the API server at https://%s, the simulator at %s, %d managers.
Logs are in %s. Ctrl-C ends it all. In another terminal, in this folder:

  export KUBECONFIG=%s
%s
  kubectl apply -f config/samples/credentials.yaml -f config/samples/marketplace-rest.yaml
  kubectl apply -f config/samples/posting.yaml -f config/samples/bid.yaml
  kubectl wait --for=condition=Placed bid/rest.39211345
  kubectl get bids
  kubectl delete bid rest.39211345      # returns when the marketplace has no live bid any more

`, e.address, e.market.URL, len(e.managers), e.logs(), e.plane.Admin().Kubeconfig, path)
	if e.market.URL != defaultMarket {
		fmt.Fprintf(e.out, "Port 8090 was taken: in config/samples, read %s for %s.\n\n", e.market.URL, defaultMarket)
	}
}

// defaultMarket is where config/samples expect the simulator.
const defaultMarket = "http://127.0.0.1:8090"
