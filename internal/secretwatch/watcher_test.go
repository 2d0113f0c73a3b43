package secretwatch

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/onebid-dev/onebid/internal/testenv"
)

var env *testenv.Environment

func TestMain(m *testing.M) { os.Exit(testenv.Main(m, testenv.Options{Bare: true}, &env)) }

type fixture struct {
	*WithT
	t       *testing.T
	ns      string
	watcher *Watcher
	queue   workqueue.TypedRateLimitingInterface[reconcile.Request]
	stop    context.CancelFunc
}

func start(t *testing.T, config *rest.Config, ns string) *fixture {
	t.Helper()
	client, err := metadata.NewForConfig(config)
	f := &fixture{
		WithT: NewWithT(t), t: t, ns: ns, watcher: New(client),
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]()),
	}
	f.Expect(err).NotTo(HaveOccurred())
	f.SetDefaultEventuallyTimeout(time.Minute) // a list that was refused is tried again at growing intervals
	leaks := goleak.IgnoreCurrent()
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.Expect(f.watcher.Start(ctx, f.queue)).To(Succeed())
	t.Cleanup(func() {
		stop()
		f.queue.ShutDown()
		goleak.VerifyNone(t, leaks, goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"),
			goleak.IgnoreAnyFunction("net/http.(*http2ClientConn).readLoop"))
	})
	return f
}

func (f *fixture) name(n string) types.NamespacedName {
	return types.NamespacedName{Namespace: f.ns, Name: n}
}

func (f *fixture) write(name, data string) {
	f.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: f.ns, Name: name}, StringData: map[string]string{"d": data}}
	if err := env.Client.Create(f.t.Context(), secret); err != nil {
		f.Expect(env.Client.Update(f.t.Context(), secret)).To(Succeed())
	}
}

// enqueued waits for the next owner that was enqueued.
func (f *fixture) enqueued() string {
	f.t.Helper()
	f.Eventually(f.queue.Len).Should(BeNumerically(">", 0))
	request, _ := f.queue.Get()
	f.queue.Done(request)
	return request.Name
}

func (f *fixture) informers() int {
	f.watcher.mu.Lock()
	defer f.watcher.mu.Unlock()
	return len(f.watcher.watches)
}

func (f *fixture) known(secret string) func() bool {
	return func() bool {
		_, known := f.watcher.Version(f.name(secret))
		return known
	}
}

func TestOwnersHearOfTheirSecretOnly(t *testing.T) {
	f := start(t, env.Config, env.Namespace(t))
	f.Expect(f.watcher.Watch(f.name("a"), f.name("one"))).To(Succeed())
	f.Expect(f.watcher.Watch(f.name("a"), f.name("one"))).To(Succeed(), "saying it again is nothing new")
	f.Eventually(f.known("one")).Should(BeTrue(), "absence is knowledge too")
	f.Expect(f.queue.Len()).To(BeZero())

	f.write("two", "unrelated")
	f.write("one", "first")
	f.Expect(f.enqueued()).To(Equal("a"))
	first, _ := f.watcher.Version(f.name("one"))
	f.write("one", "second")
	f.Expect(f.enqueued()).To(Equal("a"))
	second, _ := f.watcher.Version(f.name("one"))
	f.Expect(second).NotTo(Equal(first))

	f.Expect(f.watcher.Watch(f.name("b"), f.name("one"))).To(Succeed())
	f.Expect(f.informers()).To(Equal(1), "two owners share a watch")
	f.Expect(env.Client.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: f.ns, Name: "one"}})).
		To(Succeed())
	f.Expect([]string{f.enqueued(), f.enqueued()}).To(ConsistOf("a", "b"))
	version, known := f.watcher.Version(f.name("one"))
	f.Expect(known).To(BeTrue())
	f.Expect(version).To(BeEmpty())
	f.Consistently(f.queue.Len).WithTimeout(100 * time.Millisecond).Should(BeZero())
}

func TestWatchesEndWithTheirLastOwner(t *testing.T) {
	f := start(t, env.Config, env.Namespace(t))
	f.write("one", "x")
	f.Expect(f.watcher.Watch(f.name("a"), f.name("one"))).To(Succeed())
	f.Expect(f.watcher.Watch(f.name("b"), f.name("one"))).To(Succeed())
	f.Eventually(f.known("one")).Should(BeTrue())
	f.watcher.Release(f.name("a"))
	f.watcher.Release(f.name("a"))
	f.Expect(f.informers()).To(Equal(1))
	stopped := f.watcher.watches[f.name("one")].informer
	f.Expect(f.watcher.Watch(f.name("b"), f.name("two"))).To(Succeed(), "an owner that names another Secret lets go of the first")
	f.Expect(f.informers()).To(Equal(1))
	f.Eventually(stopped.IsStopped).Should(BeTrue())
	f.Expect(f.known("one")()).To(BeFalse())
	f.watcher.notify(f.name("one"))
	f.watcher.Release(f.name("b"))
	f.Expect(f.informers()).To(BeZero())
	f.Expect(f.watcher.Start(t.Context(), f.queue)).NotTo(Succeed(), "one controller")
}

func TestWatchBeforeStart(t *testing.T) {
	g := NewWithT(t)
	client, err := metadata.NewForConfig(env.Config)
	g.Expect(err).NotTo(HaveOccurred())
	watcher, name := New(client), types.NamespacedName{Namespace: env.Namespace(t), Name: "one"}
	g.Expect(watcher.Watch(name, name)).To(Succeed())
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer queue.ShutDown()
	g.Expect(watcher.Start(t.Context(), queue)).To(Succeed())
	g.Eventually(func() bool { _, known := watcher.Version(name); return known }).WithTimeout(time.Minute).Should(BeTrue())

	idle := New(client)
	g.Expect(idle.Watch(name, name)).To(Succeed())
	idle.Release(name)
}

// What kubectl last applied is in an annotation, data and all.
func TestNothingOfASecretIsKept(t *testing.T) {
	f := start(t, env.Config, env.Namespace(t))
	f.Expect(env.Client.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: f.ns, Name: "one", Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: "hunter2"},
	}})).To(Succeed())
	f.Expect(f.watcher.Watch(f.name("a"), f.name("one"))).To(Succeed())
	f.Expect(f.enqueued()).To(Equal("a"))
	kept := f.watcher.watches[f.name("one")].informer.GetStore().List()
	f.Expect(kept).To(HaveLen(1))
	f.Expect(fmt.Sprintf("%+v", kept[0])).NotTo(ContainSubstring("hunter2"))
	object, err := onlyVersion("a tombstone")
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(object).To(Equal("a tombstone"))
	f.Expect(version("a tombstone")).To(BeEmpty())
}

// A role that names the one Secret is enough, and no other Secret can be seen with it.
func TestRightsOnOneNameAreEnough(t *testing.T) {
	ns := env.Namespace(t)
	g := NewWithT(t)
	user, err := env.User("secret-reader")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(env.Client.Create(t.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "r"},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"one"},
			Verbs: []string{"get", "list", "watch"},
		}},
	})).To(Succeed())
	g.Expect(env.Client.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "r"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "r"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user.Name}},
	})).To(Succeed())
	f := start(t, user.Config, ns)
	f.Expect(f.watcher.Watch(f.name("a"), f.name("one"))).To(Succeed())
	f.Expect(f.watcher.Watch(f.name("b"), f.name("two"))).To(Succeed())
	f.Eventually(f.known("one")).Should(BeTrue())
	f.write("two", "x")
	f.write("one", "x")
	f.Expect(f.enqueued()).To(Equal("a"))
	f.Expect(f.known("two")()).To(BeFalse())
}
