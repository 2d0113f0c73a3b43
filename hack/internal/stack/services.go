package stack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/onebid-dev/onebid/internal/marketsim" //nolint:depguard // only commands of their own import this package
)

// Simulator is the marketplace, in a process of its own.
type Simulator struct {
	*Process

	// URL of the server; a market is at URL/{market}.
	URL string
	// Ledger is the file with all that ever happened there.
	Ledger string
	// Client calls the administration.
	Client *marketsim.Client
}

// StartSimulator starts bin/marketsim on the port, or on any free one when it is taken, and returns when it answers.
func StartSimulator(ctx context.Context, g *Group, bin, ledger string, port int) (*Simulator, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("no simulator after %s", startTimeout))
	defer cancel()
	port, err := FreePort(ctx, port)
	if err != nil {
		return nil, err
	}
	p, err := g.Start(Command{
		Name: "marketsim", Path: filepath.Join(bin, "marketsim"),
		Args: []string{"--listen=" + address(port), "--ledger=" + ledger},
	})
	if err != nil {
		return nil, err
	}
	s := &Simulator{Process: p, URL: "http://" + address(port), Ledger: ledger}
	s.Client = marketsim.NewClient(s.URL)
	return s, Await(ctx, 50*time.Millisecond, s.Client.Healthy, p)
}

// Manager is one replica of the controller, in a process of its own.
type Manager struct {
	*Process

	readyURL string
}

// ManagerOptions say how to start a manager.
type ManagerOptions struct {
	// Bin is the folder with the binary.
	Bin string
	// Name of the replica, such as "manager-1"; in a cluster it would be the Pod's.
	Name string
	// Kubeconfig to log in with.
	Kubeconfig string
	// Namespace of the manager's own Leases.
	Namespace string
	// HealthPort and MetricsPort are wishes; other ports are taken when they are not free, and any when they are 0.
	HealthPort, MetricsPort int
}

// StartManager starts bin/manager. It does not wait: see Manager.Ready.
func StartManager(ctx context.Context, g *Group, o ManagerOptions) (*Manager, error) {
	health, err := FreePort(ctx, o.HealthPort)
	if err != nil {
		return nil, err
	}
	metrics := "0"
	if o.MetricsPort != 0 {
		port, err := FreePort(ctx, o.MetricsPort)
		if err != nil {
			return nil, err
		}
		metrics = address(port)
	}
	p, err := g.Start(Command{
		Name: o.Name, Path: filepath.Join(o.Bin, "manager"),
		Args: []string{
			"--kubeconfig=" + o.Kubeconfig,
			"--namespace=" + o.Namespace,
			"--pod-name=" + o.Name,
			"--health-probe-bind-address=" + address(health),
			"--metrics-bind-address=" + metrics,
			"--allow-private-addresses",
		},
	})
	if err != nil {
		return nil, err
	}
	return &Manager{Process: p, readyURL: "http://" + address(health) + "/readyz"}, nil
}

var probe = &http.Client{Timeout: 2 * time.Second}

// Ready returns nil when the manager says that it is ready.
func (m *Manager) Ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.readyURL, http.NoBody)
	if err != nil {
		return fmt.Errorf("asking %s: %w", m.Name, err)
	}
	answer, err := probe.Do(request)
	if err != nil {
		return fmt.Errorf("%s is not ready: %w", m.Name, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 512))
		return fmt.Errorf("%s is not ready: %s: %s", m.Name, strconv.Itoa(answer.StatusCode), text)
	}
	return nil
}

// AwaitReady returns when every manager is ready.
func AwaitReady(ctx context.Context, managers ...*Manager) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready after %s", startTimeout))
	defer cancel()
	for _, m := range managers {
		if err := Await(ctx, 100*time.Millisecond, m.Ready, m.Process); err != nil {
			return err
		}
	}
	return nil
}
