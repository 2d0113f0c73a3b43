package simulation

import "context"

// play carries the plan out, until everything has come to rest or a promise is broken.
func (w *world) play() {
	for i := range w.replicas {
		w.start(i)
	}
	for _, s := range w.plan.Steps {
		_ = w.sleep(context.Background(), s.After)
		if w.violation() != "" {
			break
		}
		w.do(s)
	}
	if w.violation() == "" {
		w.converge()
	}
	for i := range w.replicas {
		w.replica(i).stop()
	}
	w.running.Wait()
}
