package audit

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// conclude ends an audit whose cases are all closed, and schedules the next one.
func (s *sweep) conclude() time.Duration {
	s.memory.reported = s.memory.staying
	if s.leads {
		s.Metrics.setOrphans(client.ObjectKeyFromObject(s.mkt), len(s.memory.reported))
	}
	return s.schedule()
}

// schedule sets the next audit and returns how long it is until then.
func (s *sweep) schedule() time.Duration {
	if s.memory.again || s.memory.requested != s.mkt.Annotations[onebidv1.AnnotationReconcileRequestedAt] {
		s.memory.next = s.Clock.Now()
		return time.Millisecond
	}
	every := interval(s.mkt)
	wait := every*9/10 + time.Duration(s.Jitter()*float64(every)/5)
	s.memory.next = s.Clock.Now().Add(wait)
	return wait
}
