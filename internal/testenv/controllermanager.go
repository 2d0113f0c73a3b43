package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	controllerManager     = "kube-controller-manager"
	controllerManagerWait = 60 * time.Second
	stopWait              = 20 * time.Second
)

// startControllerManager returns once namespaces are really deleted, which is the slowest of its controllers to begin.
// Its controllers act under service accounts of their own, as in a real cluster: none of them is in system:masters, whom no
// policy refuses.
func (e *Environment) startControllerManager(ctx context.Context, output *os.File) error {
	identity, err := e.User("system:kube-controller-manager")
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(e.assets, controllerManager),
		"--kubeconfig="+identity.Kubeconfig,
		"--use-service-account-credentials=true",
		"--controllers=namespace-controller,garbage-collector-controller,clusterrole-aggregation-controller",
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=1000",
		"--kube-api-burst=2000",
	)
	cmd.Stdout, cmd.Stderr = output, output
	if output == nil {
		log, err := os.Create(filepath.Join(e.dir, controllerManager+".log"))
		if err != nil {
			return err
		}
		defer func() { _ = log.Close() }()
		cmd.Stdout, cmd.Stderr = log, log
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	e.manager = watchProcess(cmd)

	probe := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "testenv-probe"}}
	if err := e.Client.Create(ctx, probe); err != nil {
		return err
	}
	if err := e.Client.Delete(ctx, probe); err != nil {
		return err
	}
	err = wait.PollUntilContextTimeout(ctx, pollInterval, controllerManagerWait, true, func(ctx context.Context) (bool, error) {
		if e.manager.ended() {
			return false, fmt.Errorf("it ended: %w", e.manager.err)
		}
		return apierrors.IsNotFound(e.Client.Get(ctx, client.ObjectKeyFromObject(probe), probe)), nil
	})
	if err != nil {
		return fmt.Errorf("%s did not begin to delete namespaces: %w", controllerManager, err)
	}
	return nil
}

// process is a child that is waited for from its start, so that its end is noticed.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	// err is valid once done is closed.
	err error
}

func watchProcess(cmd *exec.Cmd) *process {
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop asks first and kills after a while.
func (p *process) stop() error {
	if p.ended() {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopWait):
		return p.cmd.Process.Kill()
	}
}
