package stack

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenLifetime is longer than anybody leaves a development environment running.
const tokenLifetime = 14 * 24 * time.Hour

// CreateNamespace makes a namespace unless it is there.
func (cp *ControlPlane) CreateNamespace(ctx context.Context, name string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := cp.Client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
	return ignoreAlreadyExists(err)
}

// CreateUser makes a ServiceAccount that has, in its namespace and nowhere else, the rights of the ClusterRole. It
// returns the path of a kubeconfig for it.
func (cp *ControlPlane) CreateUser(ctx context.Context, namespace, name, clusterRole string) (string, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	_, err := cp.Client.CoreV1().ServiceAccounts(namespace).Create(ctx, account, metav1.CreateOptions{})
	if err := ignoreAlreadyExists(err); err != nil {
		return "", fmt.Errorf("creating user %s: %w", name, err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
	}
	_, err = cp.Client.RbacV1().RoleBindings(namespace).Create(ctx, binding, metav1.CreateOptions{})
	if err := ignoreAlreadyExists(err); err != nil {
		return "", fmt.Errorf("creating user %s: %w", name, err)
	}
	return cp.Login(ctx, namespace, name)
}

// Login returns the path of a kubeconfig with a token of a ServiceAccount that is there. Its rights are those that were
// bound to it, as they would be in a Pod.
func (cp *ControlPlane) Login(ctx context.Context, namespace, serviceAccount string) (string, error) {
	request := &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenLifetime / time.Second))},
	}
	answer, err := cp.Client.CoreV1().ServiceAccounts(namespace).
		CreateToken(ctx, serviceAccount, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("logging in as %s/%s: %w", namespace, serviceAccount, err)
	}
	path := filepath.Join(cp.dir, "pki", namespace+"."+serviceAccount+".kubeconfig")
	return path, cp.writeKubeconfig(path, namespace, &clientcmdapi.AuthInfo{Token: answer.Status.Token})
}

func ignoreAlreadyExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
