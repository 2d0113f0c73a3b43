package fakeapi

import (
	"context"
	"slices"
	"sync"
)

// Faults records requests, and lets tests fail them. Its Do is a Through. It is safe for concurrent use.
type Faults struct {
	mu       sync.Mutex
	requests []Request
	failing  map[string][]error // by verb; each is used once
	losing   map[string][]error
	hook     func(Request)
}

// Fail makes the next request of this verb fail without an effect. nil lets one request pass.
func (f *Faults) Fail(verb string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing = add(f.failing, verb, err)
}

// Lose makes the next request of this verb take effect, and its reply get lost.
func (f *Faults) Lose(verb string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.losing = add(f.losing, verb, context.DeadlineExceeded)
}

func add(to map[string][]error, verb string, err error) map[string][]error {
	if to == nil {
		to = map[string][]error{}
	}
	to[verb] = append(to[verb], err)
	return to
}

// Hook is called before each request, for example to let another process be faster. It may send requests itself.
func (f *Faults) Hook(hook func(Request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Requests returns those since the last call.
func (f *Faults) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	requests := f.requests
	f.requests = nil
	return requests
}

// Do is a Through.
func (f *Faults) Do(_ context.Context, r Request, send func() error) error {
	f.mu.Lock()
	hook := f.hook
	f.mu.Unlock()
	if hook != nil {
		hook(r)
	}
	f.mu.Lock()
	f.requests = append(f.requests, r)
	err := next(f.failing, r.Verb)
	f.mu.Unlock()
	if err == nil {
		err = send()
	}
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return next(f.losing, r.Verb)
}

func next(errs map[string][]error, verb string) error {
	if len(errs[verb]) == 0 {
		return nil
	}
	err := errs[verb][0]
	errs[verb] = slices.Delete(errs[verb], 0, 1)
	return err
}
