package process

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/onebid-dev/onebid/internal/marketsim"
)

const (
	startTimeout = time.Minute
	pollInterval = 50 * time.Millisecond
)

// Simulator is the marketplace in a process of its own.
type Simulator struct {
	*Process

	// URL of the server; a market is at URL/{market}.
	URL string
	// Ledger is the file with all that ever happened there.
	Ledger string
	// Client calls the administration.
	Client *marketsim.Client
}

// StartSimulator starts a marketsim binary with its log in a folder, at the port if that is free, and returns when it answers.
func StartSimulator(ctx context.Context, binary, ledger, logs string, port int) (*Simulator, error) {
	address, err := FreeAddress(port)
	if err != nil {
		return nil, err
	}
	s := &Simulator{URL: "http://" + address, Ledger: ledger}
	s.Client = marketsim.NewClient(s.URL)
	s.Process, err = Start(Command{
		Name: "marketsim", Path: binary, Args: []string{"--listen=" + address, "--ledger=" + ledger},
		Log: filepath.Join(logs, "marketsim.log"),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("no simulator after %s", startTimeout))
	defer cancel()
	if err := Await(ctx, pollInterval, s.Client.Healthy, s.Process); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

// Manager is one replica of the controller.
type Manager struct {
	*Process

	// Health and Metrics are the addresses of its endpoints.
	Health, Metrics string
}

// Replica says how to start a manager.
type Replica struct {
	// Binary is the manager's.
	Binary string
	// Name would in a cluster be the Pod's.
	Name string
	// Logs is the folder for the log.
	Logs string
	// Kubeconfig to log in with.
	Kubeconfig string
	// Env is added to the environment of this process.
	Env []string
	// Flags follow those for what is named above.
	Flags []string
}

// Start does not wait until the manager is ready: see Manager.Ready.
func (r Replica) Start() (*Manager, error) {
	m := &Manager{}
	var err error
	if m.Health, err = FreeAddress(0); err != nil {
		return nil, err
	}
	if m.Metrics, err = FreeAddress(0); err != nil {
		return nil, err
	}
	m.Process, err = Start(Command{
		Name: r.Name, Path: r.Binary, Env: r.Env, Log: filepath.Join(r.Logs, r.Name+".log"), Args: append([]string{
			"--kubeconfig=" + r.Kubeconfig, "--pod-name=" + r.Name,
			"--health-probe-bind-address=" + m.Health, "--metrics-bind-address=" + m.Metrics,
		}, r.Flags...),
	})
	return m, err
}

var probe = &http.Client{Timeout: 2 * time.Second}

// Ready returns nil when the manager says that it is ready.
func (m *Manager) Ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.Health+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	answer, err := probe.Do(request)
	if err != nil {
		return fmt.Errorf("%s is not ready: %w", m.Name, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 512))
		return fmt.Errorf("%s is not ready: %d: %s", m.Name, answer.StatusCode, text)
	}
	return nil
}

// AwaitReady returns when every manager is ready.
func AwaitReady(ctx context.Context, managers ...*Manager) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready after %s", startTimeout))
	defer cancel()
	for _, m := range managers {
		if err := Await(ctx, pollInterval, m.Ready, m.Process); err != nil {
			return err
		}
	}
	return nil
}
