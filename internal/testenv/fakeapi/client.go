package fakeapi

import (
	"context"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Request is what a client sends.
type Request struct {
	// Verb is create, get, list, watch, update, patch, delete or "update status".
	Verb string
	// Kind is as in Lease.
	Kind            string
	Namespace, Name string
}

// Through sees each request of a client. It calls send, which has the server carry the request out, once or not at all,
// and returns what the client gets.
type Through func(ctx context.Context, r Request, send func() error) error

// Client is one process's connection to a Server. It is a LeasesGetter of client-go, and the client of controller-runtime
// but for what is not here. All reads are uncached.
type Client struct {
	client.Client

	server  *Server
	through Through
}

// Client returns a connection; through may be nil.
func (s *Server) Client(through Through) *Client {
	if through == nil {
		through = func(_ context.Context, _ Request, send func() error) error { return send() }
	}
	return &Client{server: s, through: through}
}

func (c *Client) do(ctx context.Context, verb string, o client.Object, send func() error) error {
	return c.through(ctx, Request{verb, kindOf(o), o.GetNamespace(), o.GetName()}, send)
}

// Create implements client.Client.
func (c *Client) Create(ctx context.Context, o client.Object, _ ...client.CreateOption) error {
	return c.do(ctx, "create", o, func() error { return c.server.create(o) })
}

// Get implements client.Client.
func (c *Client) Get(ctx context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	into.SetNamespace(key.Namespace)
	into.SetName(key.Name)
	return c.do(ctx, "get", into, func() error { return c.server.get(into) })
}

// Update implements client.Client.
func (c *Client) Update(ctx context.Context, o client.Object, _ ...client.UpdateOption) error {
	return c.do(ctx, "update", o, func() error { return c.server.update(o, false) })
}

// Patch implements client.Client, for merge patches.
func (c *Client) Patch(ctx context.Context, o client.Object, patch client.Patch, _ ...client.PatchOption) error {
	data, err := patch.Data(o)
	if err != nil {
		return err
	}
	if patch.Type() != types.MergePatchType {
		return apierrors.NewBadRequest("only merge patches are served here")
	}
	return c.do(ctx, "patch", o, func() error { return c.server.patch(o, data) })
}

// Delete implements client.Client.
func (c *Client) Delete(ctx context.Context, o client.Object, opts ...client.DeleteOption) error {
	options := (&client.DeleteOptions{}).ApplyOptions(opts)
	return c.do(ctx, "delete", o, func() error { return c.server.remove(idOf(o), options.Preconditions) })
}

// List implements client.Client.
func (c *Client) List(ctx context.Context, into client.ObjectList, opts ...client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(opts)
	r := Request{Verb: "list", Kind: kindOf(into), Namespace: options.Namespace}
	return c.through(ctx, r, func() error {
		found, version := c.server.list(wanted(r, options.LabelSelector, options.FieldSelector))
		objects := make([]runtime.Object, 0, len(found))
		for _, object := range found {
			objects = append(objects, object)
		}
		into.SetResourceVersion(version)
		return meta.SetList(into, objects)
	})
}

// wanted tells which objects a list or a watch shows.
func wanted(r Request, byLabel labels.Selector, byField fields.Selector) func(client.Object) bool {
	return func(o client.Object) bool {
		if kindOf(o) != r.Kind || r.Namespace != "" && o.GetNamespace() != r.Namespace {
			return false
		}
		set := fields.Set{"metadata.name": o.GetName(), "metadata.namespace": o.GetNamespace()}
		if spec := field(o, "Spec"); spec.IsValid() {
			if market := spec.FieldByName("Marketplace"); market.IsValid() {
				set["spec.marketplace"] = market.String()
			}
		}
		return (byLabel == nil || byLabel.Matches(labels.Set(o.GetLabels()))) && (byField == nil || byField.Matches(set))
	}
}

// Status implements client.Client.
func (c *Client) Status() client.SubResourceWriter { return &statusWriter{client: c} }

type statusWriter struct {
	client.SubResourceWriter

	client *Client
}

// Update implements client.SubResourceWriter.
func (w *statusWriter) Update(ctx context.Context, o client.Object, _ ...client.SubResourceUpdateOption) error {
	return w.client.do(ctx, "update status", o, func() error { return w.client.server.update(o, true) })
}

// Leases implements client-go's LeasesGetter.
func (c *Client) Leases(namespace string) coordinationv1client.LeaseInterface {
	return &leases{client: c, namespace: namespace}
}

// IsWatchListSemanticsUnSupported keeps informers to list and watch.
func (*Client) IsWatchListSemanticsUnSupported() bool { return true }

type leases struct {
	coordinationv1client.LeaseInterface

	client    *Client
	namespace string
}

func (l *leases) named(name string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: name}}
}

// result is nil beside an error, as client-go's are not; what is lost with a reply must not be seen.
func result(lease *coordinationv1.Lease, err error) (*coordinationv1.Lease, error) {
	if err != nil {
		return nil, err
	}
	return lease, nil
}

// Create implements LeaseInterface.
func (l *leases) Create(ctx context.Context, lease *coordinationv1.Lease, _ metav1.CreateOptions) (*coordinationv1.Lease, error) {
	lease = lease.DeepCopy()
	lease.Namespace = l.namespace
	return result(lease, l.client.Create(ctx, lease))
}

// Update implements LeaseInterface.
func (l *leases) Update(ctx context.Context, lease *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	lease = lease.DeepCopy()
	return result(lease, l.client.Update(ctx, lease))
}

// Get implements LeaseInterface.
func (l *leases) Get(ctx context.Context, name string, _ metav1.GetOptions) (*coordinationv1.Lease, error) {
	lease := l.named(name)
	return result(lease, l.client.Get(ctx, client.ObjectKeyFromObject(lease), lease))
}

// Delete implements LeaseInterface.
func (l *leases) Delete(ctx context.Context, name string, options metav1.DeleteOptions) error {
	return l.client.do(ctx, "delete", l.named(name), func() error {
		return l.client.server.remove(idOf(l.named(name)), options.Preconditions)
	})
}

// List implements LeaseInterface.
func (l *leases) List(ctx context.Context, options metav1.ListOptions) (*coordinationv1.LeaseList, error) {
	list := &coordinationv1.LeaseList{}
	byLabel, err := labels.Parse(options.LabelSelector)
	if err != nil {
		return nil, err
	}
	return list, l.client.List(ctx, list, client.InNamespace(l.namespace), client.MatchingLabelsSelector{Selector: byLabel})
}

// Watch implements LeaseInterface.
func (l *leases) Watch(ctx context.Context, options metav1.ListOptions) (w watch.Interface, err error) {
	byLabel, err := labels.Parse(options.LabelSelector)
	if err != nil {
		return nil, err
	}
	byField, err := fields.ParseSelector(options.FieldSelector)
	if err != nil {
		return nil, err
	}
	r := Request{Verb: "watch", Kind: "Lease", Namespace: l.namespace}
	err = l.client.through(ctx, r, func() error {
		w = l.client.server.watch(options.ResourceVersion, wanted(r, byLabel, byField))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}
