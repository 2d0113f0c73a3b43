package testenv

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// UserIn makes a user and grants ClusterRoles in a namespace: see User and Grant.
func (e *Environment) UserIn(ctx context.Context, namespace, name string, clusterRoles ...string) (*User, error) {
	user, err := e.User(name)
	if err != nil {
		return nil, fmt.Errorf("make user %s: %w", name, err)
	}
	err = user.Grant(ctx, namespace, clusterRoles...)
	return user, err
}

// tokenLifetime is longer than a development environment runs.
const tokenLifetime = 14 * 24 * time.Hour

// User has only the rights that roles were bound to.
type User struct {
	// Name that the API server authenticates.
	Name string
	// Config to build clients from.
	Config *rest.Config
	// Client without a cache.
	Client client.WithWatch
	// Kubeconfig is the path of a file for programs.
	Kubeconfig string

	env    *Environment
	groups []string
}

// User makes a user without any rights of their own; Grant gives some. Groups may be ones that roles are bound to already,
// such as system:masters.
func (e *Environment) User(name string, groups ...string) (*User, error) {
	base := rest.CopyConfig(e.Config)
	e.signing.Lock() // the authority that signs users' certificates counts them without a lock of its own
	authenticated, err := e.plane.AddUser(envtest.User{Name: name, Groups: groups}, base)
	e.signing.Unlock()
	if err != nil {
		return nil, err
	}
	user, err := e.newUser(name, name+".kubeconfig", authenticated.Config())
	if err != nil {
		return nil, err
	}
	user.groups = groups
	return user, nil
}

// Login returns a user with the rights that are bound to a ServiceAccount, as a Pod of it would have.
func (e *Environment) Login(ctx context.Context, namespace, serviceAccount string) (*User, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: serviceAccount}}
	request := &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To(int64(tokenLifetime / time.Second))},
	}
	if err := e.Client.SubResource("token").Create(ctx, account, request); err != nil {
		return nil, fmt.Errorf("log in as %s/%s: %w", namespace, serviceAccount, err)
	}
	config := rest.AnonymousClientConfig(e.Config)
	config.QPS, config.BearerToken = e.Config.QPS, request.Status.Token
	return e.newUser("system:serviceaccount:"+namespace+":"+serviceAccount, namespace+"."+serviceAccount+".kubeconfig", config)
}

// Admin is the user of Config.
func (e *Environment) Admin() *User { return e.admin }

func (e *Environment) newUser(name, file string, config *rest.Config) (*User, error) {
	withWatch, err := client.NewWithWatch(config, client.Options{Scheme: e.Scheme})
	if err != nil {
		return nil, err
	}
	const only = "onebid"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[only] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	kubeconfig.AuthInfos[only] = &clientcmdapi.AuthInfo{
		ClientCertificateData: config.CertData, ClientKeyData: config.KeyData, Token: config.BearerToken,
	}
	kubeconfig.Contexts[only] = &clientcmdapi.Context{Cluster: only, AuthInfo: only}
	kubeconfig.CurrentContext = only
	file = filepath.Join(e.dir, file)
	if err := clientcmd.WriteToFile(*kubeconfig, file); err != nil {
		return nil, err
	}
	return &User{Name: name, Config: config, Client: withWatch, Kubeconfig: file, env: e}, nil
}

// marker is a right that nothing uses. It is given last: a user who has it has the others too.
const (
	markerRole     = "testenv-marker"
	markerGroup    = "testenv.onebid.dev"
	markerResource = "markers"
)

const grantWait = 20 * time.Second

// InstallRoles applies the ClusterRoles of config/rbac. Only its first call does anything.
func (e *Environment) InstallRoles(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rolesInstalled {
		return nil
	}
	objects, err := ReadManifests(filepath.Join(e.Root, "config", "rbac"))
	if err != nil {
		return err
	}
	for _, object := range objects {
		if object.GetKind() != "ClusterRole" {
			continue
		}
		if err := e.Apply(ctx, object); err != nil {
			return err
		}
	}
	e.rolesInstalled = true
	return e.Client.Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: markerRole},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{markerGroup}, Resources: []string{markerResource}, Verbs: []string{"get"},
		}},
	})
}

// Grant gives the user ClusterRoles, those of config/rbac or Kubernetes' own, in one namespace, or everywhere when the
// namespace is empty. It returns once the API server obeys.
func (u *User) Grant(ctx context.Context, namespace string, clusterRoles ...string) error {
	if err := u.env.InstallRoles(ctx); err != nil {
		return err
	}
	for _, role := range append(slices.Clone(clusterRoles), markerRole) {
		if err := u.bind(ctx, namespace, role); err != nil {
			return fmt.Errorf("bind ClusterRole %s to %s: %w", role, u.Name, err)
		}
	}
	return wait.PollUntilContextTimeout(ctx, pollInterval, grantWait, true, func(ctx context.Context) (bool, error) {
		return u.Can(ctx, authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: "get", Group: markerGroup, Resource: markerResource,
		})
	})
}

func (u *User) bind(ctx context.Context, namespace, clusterRole string) error {
	meta := metav1.ObjectMeta{GenerateName: "testenv-", Namespace: namespace}
	role := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: u.Name}}
	if namespace == "" {
		return u.env.Client.Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: role, Subjects: subjects})
	}
	return u.env.Client.Create(ctx, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: role, Subjects: subjects})
}

// Can asks the API server whether the user may do something, as `kubectl auth can-i` does.
func (u *User) Can(ctx context.Context, what authorizationv1.ResourceAttributes) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: u.Name, Groups: append(slices.Clone(u.groups), "system:authenticated"), ResourceAttributes: &what,
	}}
	err := u.env.Client.Create(ctx, review)
	return review.Status.Allowed, err
}
