package testenv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/onebid-dev/onebid/internal/testenv/process"
)

const (
	controllerManager     = "kube-controller-manager"
	controllerManagerWait = 60 * time.Second
	stopWait              = 20 * time.Second
)

// startControllerManager returns once namespaces are really deleted, which is the slowest of its controllers to begin.
// Its controllers act under service accounts of their own, as in a real cluster: none of them is in system:masters, whom no
// policy refuses.
func (e *Environment) startControllerManager(ctx context.Context) error {
	identity, err := e.User("system:kube-controller-manager")
	if err != nil {
		return err
	}
	e.manager, err = process.Start(process.Command{
		Name: controllerManager, Path: filepath.Join(e.assets, controllerManager),
		Log: filepath.Join(e.dir, "logs", controllerManager+".log"), Args: []string{
			"--kubeconfig=" + identity.Kubeconfig,
			"--use-service-account-credentials=true",
			"--controllers=namespace-controller,garbage-collector-controller,clusterrole-aggregation-controller",
			"--leader-elect=false",
			"--secure-port=0",
			"--kube-api-qps=1000",
			"--kube-api-burst=2000",
		},
	})
	if err != nil {
		return err
	}

	probe := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "testenv-probe"}}
	if err := e.Client.Create(ctx, probe); err != nil {
		return err
	}
	if err := e.Client.Delete(ctx, probe); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, controllerManagerWait)
	defer cancel()
	err = process.Await(ctx, pollInterval, func(ctx context.Context) error {
		err := e.Client.Get(ctx, client.ObjectKeyFromObject(probe), probe)
		if err == nil {
			return errors.New("the namespace is still there")
		}
		return client.IgnoreNotFound(err)
	}, e.manager)
	if err != nil {
		return fmt.Errorf("%s did not begin to delete namespaces: %w", controllerManager, err)
	}
	return nil
}
