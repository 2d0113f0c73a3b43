// Package fakeapi is an API server in memory, for tests that step a clock and count requests.
//
// A [Server] stores Leases, Bids and any other objects with resourceVersions, UIDs, generations, finalizers,
// preconditions and watches. A [Client] is one process's connection to it. [Faults] stands between the two: it records
// requests, and fails or delays those that a test chooses. Nothing here proves anything about races between processes;
// tests on a real API server do.
package fakeapi

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var errVersion = errors.New("the object has been modified")

// Server stores objects. An object in it is never changed, only replaced. It is safe for concurrent use.
type Server struct {
	// Now dates objects.
	Now func() time.Time
	// Admit, when set, may change an object that is created or updated, or refuse it; old is nil at creation.
	Admit func(old, object client.Object) error
	// OnChange, when set, is called with each change, in their order; one of the two is nil when an object is created or
	// removed. It must not call the Server.
	OnChange func(before, after client.Object)

	mu      sync.Mutex
	version int
	uids    int
	objects map[id]client.Object
	changes []change
	watches []*watcher
}

// id of an object. Kinds are told apart by the names of their types alone.
type id struct{ kind, namespace, name string }

// change is an event, and the version that it led to.
type change struct {
	version int
	event   watch.Event
}

// New returns a Server without objects, whose clock is the given one.
func New(now func() time.Time) *Server {
	return &Server{Now: now, objects: map[id]client.Object{}}
}

func idOf(object client.Object) id {
	return id{kindOf(object), object.GetNamespace(), object.GetName()}
}

func kindOf(object any) string {
	if partial, ok := object.(*metav1.PartialObjectMetadata); ok {
		return partial.Kind
	}
	return strings.TrimSuffix(reflect.TypeOf(object).Elem().Name(), "List")
}

func (i id) resource() schema.GroupResource {
	if i.kind == "Lease" {
		return coordinationv1.Resource("leases")
	}
	return schema.GroupResource{Resource: strings.ToLower(i.kind) + "s"}
}

func copied(object client.Object) client.Object {
	return object.DeepCopyObject().(client.Object)
}

// Stored returns the object of this type and name as it is, or nil.
func Stored[T client.Object](s *Server, namespace, name string) (object T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.objects[id{kindOf(object), namespace, name}]; known != nil {
		object = copied(known).(T)
	}
	return object
}

// Edit changes an object past all clients, status included, and creates it when there is none. It always makes a new
// version.
func Edit[T client.Object](s *Server, namespace, name string, edit func(T)) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	var object T
	key := id{kindOf(object), namespace, name}
	before := s.objects[key]
	if before != nil {
		object = copied(before).(T)
	} else {
		object = reflect.New(reflect.TypeOf(object).Elem()).Interface().(T)
		s.stamp(object)
	}
	edit(object)
	object.SetNamespace(namespace)
	object.SetName(name)
	s.put(before, object)
	return copied(object).(T)
}

// Remove removes an object past all clients and finalizers.
func Remove[T client.Object](s *Server, namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var object T
	s.drop(s.objects[id{kindOf(object), namespace, name}])
}
