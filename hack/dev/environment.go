package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/onebid-dev/onebid/hack/internal/stack"
)

// environment is what runs.
type environment struct {
	settings settings
	root     string
	dir      string
	assets   string
	group    *stack.Group
	out      io.Writer

	plane      *stack.ControlPlane
	market     *stack.Simulator
	managers   []*stack.Manager
	kubeconfig string // of the managers
}

func (e *environment) say(format string, args ...any) {
	fmt.Fprintf(e.out, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// start returns when everything is ready. What it started belongs to the group, also when it fails.
func (e *environment) start(ctx context.Context) (err error) {
	if e.assets, err = stack.FindAssets(e.root); err != nil {
		return err
	}
	if err := stack.FindBinaries(e.settings.bin, "manager", "marketsim"); err != nil {
		return err
	}
	e.say("starting the control plane")
	e.plane, err = stack.StartControlPlane(ctx, e.group, stack.ControlPlaneOptions{
		Assets: e.assets, Dir: e.dir, Port: e.settings.apiPort, Durable: true, Controllers: true,
	})
	if err != nil {
		return err
	}
	e.say("installing config/default")
	if err := e.plane.Install(ctx, e.root); err != nil {
		return err
	}
	e.market, err = stack.StartSimulator(ctx, e.group, e.settings.bin, filepath.Join(e.dir, "ledger.jsonl"), e.settings.marketPort)
	if err != nil {
		return err
	}
	if e.kubeconfig, err = e.plane.Login(ctx, managerNamespace, managerAccount); err != nil {
		return err
	}
	for i := range replicas {
		m, err := e.startManager(ctx, i)
		if err != nil {
			return err
		}
		e.managers = append(e.managers, m)
	}
	return stack.AwaitReady(ctx, e.managers...)
}

func (e *environment) startManager(ctx context.Context, i int) (*stack.Manager, error) {
	return stack.StartManager(ctx, e.group, stack.ManagerOptions{
		Bin: e.settings.bin, Name: fmt.Sprintf("manager-%d", i+1), Kubeconfig: e.kubeconfig, Namespace: managerNamespace,
		HealthPort: 8081 + i, MetricsPort: 8443 + i,
	})
}

// watch returns when the context ends, or when something ends that cannot be started again by itself.
func (e *environment) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for i := range e.managers {
		go func() { cancel(e.keepManager(ctx, i)) }()
	}
	for _, p := range e.group.Processes() {
		if e.isManager(p) {
			continue
		}
		go func() {
			<-p.Done()
			cancel(errors.Join(fmt.Errorf("%s ended", p.Name), p.Err()))
		}()
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func (e *environment) isManager(p *stack.Process) bool {
	for _, m := range e.managers {
		if m.Process == p {
			return true
		}
	}
	return false
}

// keepManager starts the manager again whenever it ends, as a kubelet would: at once at first, then less and less often
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
		e.say("%s (process %d) has ended; its log is %s; starting it again in %s", m.Name, m.Pid(), m.LogPath, pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, longest)
		again, err := e.startManager(ctx, i)
		if err != nil {
			return err
		}
		m = again
		e.say("%s is process %d now", m.Name, m.Pid())
	}
}

// stop ends everything: managers first, so that they can finish what is under way.
func (e *environment) stop() {
	e.say("stopping; a call that is under way is finished first")
	e.group.Stop(stopGrace)
	e.say("stopped; the logs are in %s", filepath.Join(e.dir, "logs"))
}

// explain says how to use it.
func (e *environment) explain() {
	path := ""
	if _, err := exec.LookPath("kubectl"); err != nil {
		path = fmt.Sprintf("  export PATH=%s:$PATH   # for kubectl, since you have none\n", e.assets)
	}
	fmt.Fprintf(e.out, `
Everything runs: the API server at %s, the simulator at %s, %d managers.
Logs are in %s. Ctrl-C ends it all. In another terminal, in this folder:

  export KUBECONFIG=%s
%s
  kubectl apply -f config/samples/credentials.yaml -f config/samples/marketplace-rest.yaml
  kubectl apply -f config/samples/posting.yaml -f config/samples/bid.yaml
  kubectl wait --for=condition=Placed bid/rest.39211345
  kubectl get bids
  kubectl delete bid rest.39211345      # returns when the marketplace has no live bid any more

`, e.plane.URL, e.market.URL, len(e.managers), filepath.Join(e.dir, "logs"), e.plane.Kubeconfig, path)
	if e.market.URL != defaultMarket {
		fmt.Fprintf(e.out, "Port 8090 was taken: in config/samples, read %s for %s.\n\n", e.market.URL, defaultMarket)
	}
}

// defaultMarket is where config/samples expect the simulator.
const defaultMarket = "http://127.0.0.1:8090"
