// Package secretwatch tells a controller when one of the few Secrets that its objects name appears, changes or goes,
// without reading any Secret's data and without watching any other Secret.
//
// Each Secret has a watch of its own, of metadata only and selected by metadata.name, so that RBAC can grant get, list
// and watch by resourceNames.
package secretwatch

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Watcher is the source of one controller's events: it enqueues the owners of a Secret, the objects that name it,
// whenever that Secret is created, changed or deleted, and once when the watch begins and the Secret is there.
//
// A watch exists as long as the Secret has an owner. All methods are safe for concurrent use and do not block.
type Watcher struct {
	client metadata.Interface

	// mu guards what follows.
	mu sync.Mutex
	// launch runs an informer until its stop function is called or the controller ends; nil before Start.
	launch  func(cache.SharedIndexInformer) (stop context.CancelFunc)
	enqueue func(owner types.NamespacedName)
	// secretOf is the Secret that each owner names.
	secretOf map[types.NamespacedName]types.NamespacedName
	watches  map[types.NamespacedName]*watch
}

type watch struct {
	informer cache.SharedIndexInformer
	owners   map[types.NamespacedName]struct{}
	stop     context.CancelFunc
}

var _ source.Source = &Watcher{}

// New returns a Watcher for one controller. It watches nothing before that controller starts it.
func New(client metadata.Interface) *Watcher {
	return &Watcher{
		client:   client,
		secretOf: map[types.NamespacedName]types.NamespacedName{},
		watches:  map[types.NamespacedName]*watch{},
	}
}

// Start is called by the controller. All watches end with ctx.
func (w *Watcher) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.launch != nil {
		return errors.New("secretwatch: a Watcher serves one controller")
	}
	w.enqueue = func(owner types.NamespacedName) { queue.Add(reconcile.Request{NamespacedName: owner}) }
	w.launch = func(informer cache.SharedIndexInformer) context.CancelFunc {
		ctx, stop := context.WithCancel(ctx)
		go informer.RunWithContext(ctx)
		return stop
	}
	for _, running := range w.watches {
		running.stop = w.launch(running.informer)
	}
	return nil
}

// Watch says that the owner names a Secret, which replaces the one that it named before. A Secret that is read after
// this call cannot change unnoticed.
func (w *Watcher) Watch(owner, secret types.NamespacedName) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before, named := w.secretOf[owner]; named {
		if before == secret {
			return nil
		}
		w.release(owner)
	}
	if w.watches[secret] == nil {
		started, err := w.begin(secret)
		if err != nil {
			return fmt.Errorf("watching Secret %s: %w", secret, err)
		}
		w.watches[secret] = started
	}
	w.watches[secret].owners[owner] = struct{}{}
	w.secretOf[owner] = secret
	return nil
}

// Release says that the owner names no Secret any more.
func (w *Watcher) Release(owner types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.release(owner)
}

// Version returns the resourceVersion of a watched Secret as the watch last saw it, "" when it saw none. It is known
// once the watch has seen the Secret or its absence.
func (w *Watcher) Version(secret types.NamespacedName) (resourceVersion string, known bool) {
	w.mu.Lock()
	running := w.watches[secret]
	w.mu.Unlock()
	if running == nil || !running.informer.HasSynced() {
		return "", false
	}
	object, exists, err := running.informer.GetStore().GetByKey(secret.String())
	if err != nil || !exists {
		return "", err == nil
	}
	meta, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return "", false
	}
	return meta.ResourceVersion, true
}

// release needs mu.
func (w *Watcher) release(owner types.NamespacedName) {
	secret, named := w.secretOf[owner]
	if !named {
		return
	}
	delete(w.secretOf, owner)
	running := w.watches[secret]
	delete(running.owners, owner)
	if len(running.owners) > 0 {
		return
	}
	delete(w.watches, secret)
	if running.stop != nil {
		running.stop()
	}
}

// begin needs mu.
func (w *Watcher) begin(secret types.NamespacedName) (*watch, error) {
	byName := fields.OneTermEqualSelector(metav1.ObjectNameField, secret.Name).String()
	informer := metadatainformer.NewFilteredMetadataInformer(w.client, corev1.SchemeGroupVersion.WithResource("secrets"),
		secret.Namespace, 0, cache.Indexers{}, func(o *metav1.ListOptions) { o.FieldSelector = byName }).Informer()
	if err := informer.SetTransform(onlyVersion); err != nil {
		return nil, err
	}
	notify := func() { w.notify(secret) }
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { notify() },
		UpdateFunc: func(before, after any) {
			if version(before) != version(after) {
				notify()
			}
		},
		DeleteFunc: func(any) { notify() },
	})
	if err != nil {
		return nil, err
	}
	started := &watch{informer: informer, owners: map[types.NamespacedName]struct{}{}}
	if w.launch != nil {
		started.stop = w.launch(informer)
	}
	return started, nil
}

func (w *Watcher) notify(secret types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	running := w.watches[secret]
	if running == nil {
		return // the last owner was released a moment ago
	}
	for owner := range running.owners {
		w.enqueue(owner)
	}
}

// onlyVersion keeps nothing of a Secret but its name and version: what kubectl last applied, data and all, is in an
// annotation.
func onlyVersion(object any) (any, error) {
	meta, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil // a tombstone
	}
	return &metav1.PartialObjectMetadata{
		TypeMeta: meta.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Namespace: meta.Namespace, Name: meta.Name, UID: meta.UID, ResourceVersion: meta.ResourceVersion,
		},
	}, nil
}

func version(object any) string {
	meta, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return ""
	}
	return meta.ResourceVersion
}
