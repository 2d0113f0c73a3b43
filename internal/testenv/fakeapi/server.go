// Package fakeapi is an API server in memory, for tests that step a clock and count requests.
//
// A [Server] stores Leases, Bids and any other objects with resourceVersions, UIDs, generations, finalizers,
// preconditions and watches. A [Client] is one process's connection to it. [Faults] stands between the two: it records
// requests, and fails or delays those that a test chooses. Nothing here proves anything about races between processes;
// tests on a real API server do.
package fakeapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
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

// The rest of this file is the server's side of the verbs. mu is held wherever it is not taken.

// stamp gives a new object its UID and its time.
func (s *Server) stamp(object client.Object) {
	s.uids++
	object.SetUID(types.UID("uid-" + strconv.Itoa(s.uids)))
	object.SetCreationTimestamp(metav1.NewTime(s.Now().Truncate(time.Second)))
}

// put stores an object in place of before, nil if it is new.
func (s *Server) put(before, object client.Object) {
	s.version++
	object.SetResourceVersion(strconv.Itoa(s.version))
	object = copied(object)
	s.objects[idOf(object)] = object
	kind := watch.Modified
	if before == nil {
		kind = watch.Added
	}
	s.publish(watch.Event{Type: kind, Object: object}, before, object)
}

func (s *Server) drop(object client.Object) {
	s.version++
	delete(s.objects, idOf(object))
	s.publish(watch.Event{Type: watch.Deleted, Object: object}, object, nil)
}

func (s *Server) publish(event watch.Event, before, after client.Object) {
	s.changes = append(s.changes, change{s.version, event})
	if s.OnChange != nil {
		s.OnChange(before, after)
	}
	for _, w := range s.watches {
		w.push(event)
	}
}

func (s *Server) create(object client.Object) error {
	if err := transmit(object); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := idOf(object)
	if s.objects[key] != nil {
		return apierrors.NewAlreadyExists(key.resource(), key.name)
	}
	s.stamp(object)
	if field(object, "Status").IsValid() {
		object.SetGeneration(1)
	}
	if err := s.admit(nil, object); err != nil {
		return err
	}
	s.put(nil, object)
	return nil
}

func (s *Server) admit(old, object client.Object) error {
	if s.Admit == nil {
		return nil
	}
	return s.Admit(old, object)
}

func (s *Server) get(into client.Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := idOf(into)
	known := s.objects[key]
	if known == nil {
		return apierrors.NewNotFound(key.resource(), key.name)
	}
	if partial, ok := into.(*metav1.PartialObjectMetadata); ok {
		partial.ObjectMeta = field(copied(known), "ObjectMeta").Interface().(metav1.ObjectMeta)
		return nil
	}
	assign(into, copied(known))
	return nil
}

// list returns the objects for which the function is true, by name, and the version of the list.
func (s *Server) list(want func(client.Object) bool) (objects []client.Object, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byName := func(a, b id) int { return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name)) }
	for _, key := range slices.SortedFunc(maps.Keys(s.objects), byName) {
		if want(s.objects[key]) {
			objects = append(objects, copied(s.objects[key]))
		}
	}
	return objects, strconv.Itoa(s.version)
}

// known is the stored object, if it is still as the preconditions say; empty ones are met.
func (s *Server) known(key id, uid types.UID, version string) (client.Object, error) {
	known := s.objects[key]
	switch {
	case known == nil:
		return nil, apierrors.NewNotFound(key.resource(), key.name)
	case uid != "" && uid != known.GetUID() || version != "" && version != known.GetResourceVersion():
		return nil, apierrors.NewConflict(key.resource(), key.name, errVersion)
	}
	return known, nil
}

// update replaces an object but for its status, or only its status. The object given becomes what is stored.
func (s *Server) update(object client.Object, status bool) error {
	if object.GetResourceVersion() == "" {
		return apierrors.NewBadRequest("metadata.resourceVersion must be given")
	}
	if err := transmit(object); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known, err := s.known(idOf(object), object.GetUID(), object.GetResourceVersion())
	if err != nil {
		return err
	}
	return s.replace(known, object, status)
}

func (s *Server) replace(known, object client.Object, status bool) error {
	next := copied(object)
	if status {
		next = copied(known)
		field(next, "Status").Set(field(copied(object), "Status"))
	} else {
		next.SetGeneration(known.GetGeneration())
		if kept := field(next, "Status"); kept.IsValid() {
			kept.Set(field(copied(known), "Status"))
			if !equality.Semantic.DeepEqual(field(next, "Spec").Interface(), field(known, "Spec").Interface()) {
				next.SetGeneration(known.GetGeneration() + 1)
			}
		}
		if err := s.admit(known, next); err != nil {
			return err
		}
	}
	switch {
	case next.GetDeletionTimestamp() != nil && len(next.GetFinalizers()) == 0:
		s.drop(known)
	case !equality.Semantic.DeepEqual(known, next): // what changes nothing makes no version
		s.put(known, next)
	}
	assign(object, next)
	return nil
}

func (s *Server) remove(key id, p *metav1.Preconditions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var uid types.UID
	var version string
	if p != nil && p.UID != nil {
		uid = *p.UID
	}
	if p != nil && p.ResourceVersion != nil {
		version = *p.ResourceVersion
	}
	known, err := s.known(key, uid, version)
	switch {
	case err != nil:
		return err
	case len(known.GetFinalizers()) == 0:
		s.drop(known)
	case known.GetDeletionTimestamp() == nil:
		object, now := copied(known), metav1.NewTime(s.Now().Truncate(time.Second))
		object.SetDeletionTimestamp(&now)
		s.put(known, object)
	}
	return nil
}

// transmit does to an object what JSON does: times lose their fractions.
func transmit(object client.Object) error {
	text, err := json.Marshal(object)
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	reflect.ValueOf(object).Elem().SetZero()
	if err := json.Unmarshal(text, object); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	return nil
}

// field is that of the struct behind the object; invalid when there is none.
func field(object client.Object, name string) reflect.Value {
	return reflect.ValueOf(object).Elem().FieldByName(name)
}

func assign(into, from client.Object) {
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(from).Elem())
}
