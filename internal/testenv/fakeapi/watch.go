package fakeapi

import (
	"strconv"

	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// watcher holds a hundred events that its reader has not taken; more panic.
type watcher struct {
	*watch.RaceFreeFakeWatcher

	want func(client.Object) bool
}

func (w *watcher) push(event watch.Event) {
	if object := event.Object.(client.Object); !w.IsStopped() && w.want(object) {
		w.Action(event.Type, object.DeepCopyObject())
	}
}

// watch begins with the changes after the version; "" begins with the objects that exist.
func (s *Server) watch(version string, want func(client.Object) bool) *watcher {
	w := &watcher{RaceFreeFakeWatcher: watch.NewRaceFreeFake(), want: want}
	s.mu.Lock()
	defer s.mu.Unlock()
	if version == "" {
		for _, object := range s.objects {
			w.push(watch.Event{Type: watch.Added, Object: object})
		}
	} else {
		after, _ := strconv.Atoi(version)
		for _, c := range s.changes {
			if c.version > after {
				w.push(c.event)
			}
		}
	}
	s.watches = append(s.watches, w)
	return w
}

// EndWatches ends all watches, with an error event or without a word.
func (s *Server) EndWatches(event *watch.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watches {
		if !w.IsStopped() && event != nil {
			w.Action(event.Type, event.Object)
		} else {
			w.Stop()
		}
	}
	s.watches = nil
}

// Watches is the number of watches that are open.
func (s *Server) Watches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := 0
	for _, w := range s.watches {
		if !w.IsStopped() {
			open++
		}
	}
	return open
}
