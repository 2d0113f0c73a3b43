package fakeapi

// What the server does for each verb. mu is held wherever a function does not take it.

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

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
	next := withStatus(known, object)
	if !status {
		next = withoutStatus(known, object)
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

// withStatus is the known object with another status.
func withStatus(known, object client.Object) client.Object {
	next := copied(known)
	if status := field(next, "Status"); status.IsValid() {
		status.Set(field(copied(object), "Status"))
	}
	return next
}

// withoutStatus is the object with the status that is known, and the next generation when the spec changed.
func withoutStatus(known, object client.Object) client.Object {
	next := copied(object)
	next.SetGeneration(known.GetGeneration())
	kept := field(next, "Status")
	if !kept.IsValid() {
		return next
	}
	kept.Set(field(copied(known), "Status"))
	if !equality.Semantic.DeepEqual(field(next, "Spec").Interface(), field(known, "Spec").Interface()) {
		next.SetGeneration(known.GetGeneration() + 1)
	}
	return next
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

// patch applies a merge patch. A UID and a version in it are preconditions.
func (s *Server) patch(o client.Object, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var given metav1.PartialObjectMetadata
	var change map[string]any
	if err := json.Unmarshal(data, &given); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	known, err := s.known(idOf(o), given.UID, given.ResourceVersion)
	if err != nil {
		return err
	}
	next, err := runtime.DefaultUnstructuredConverter.ToUnstructured(known)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &change); err != nil {
		return err
	}
	merge(next, change)
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	reflect.ValueOf(o).Elem().SetZero() // what the patch removes must not stay
	if err := json.Unmarshal(text, o); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	return s.replace(known, o, false)
}

func merge(into, change map[string]any) {
	for name, value := range change {
		inner, isMap := value.(map[string]any)
		present, wasMap := into[name].(map[string]any)
		switch {
		case value == nil:
			delete(into, name)
		case isMap && wasMap:
			merge(present, inner)
		default:
			into[name] = value
		}
	}
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
