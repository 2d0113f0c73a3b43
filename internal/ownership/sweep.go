package ownership

import (
	"context"
	"strings"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/clock"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// abandonedMargin is how much longer than its own duration a scanner's Lease is left alone. No process waits for its
// deletion: one that wants the posting takes the Lease over.
const abandonedMargin = time.Minute

// Sweeper deletes postings' Leases that are not needed any more: tombstones past their time, and those of scanners that
// died while they evaluated a posting that never got a Bid. It is slow, to leave the API server to other work.
type Sweeper struct {
	// Leases deletes.
	Leases coordinationv1client.LeasesGetter
	// List returns postings' Leases. Old versions do no harm: a delete is for the version listed.
	List func(ctx context.Context) ([]*coordinationv1.Lease, error)
	// Owns reports whether this replica sweeps a posting, by "<namespace>/<name of the posting>".
	Owns func(key string) bool
	// Retention is how long after its Bid ended a tombstone is kept at least, to recognise late arrivals.
	Retention time.Duration
	// Interval is the time between two sweeps.
	Interval time.Duration
	// Pause is the time after each delete.
	Pause time.Duration
	// Clock waits, and measures how long a scanner has been silent; Wall is the API server's time.
	Clock clock.Clock
	Wall  clock.PassiveClock
	Log   logr.Logger

	// scanners are the Leases of scanners that the last sweep saw, on the process's own clock.
	scanners map[string]sighting
}

// NeedLeaderElection says that every replica sweeps its own share. controller-runtime asks for it.
func (*Sweeper) NeedLeaderElection() bool { return false }

// Start sweeps until the context is done. It blocks. Requests: one delete per Lease that is not needed any more.
func (s *Sweeper) Start(ctx context.Context) error {
	for s.sleep(ctx, s.Interval) {
		leases, err := s.List(ctx)
		if err != nil {
			s.Log.Info("Could not list Leases to sweep", "reason", err.Error())
			continue
		}
		s.sweep(ctx, s.unneeded(leases))
	}
	return nil
}

// unneeded selects the Leases to delete, and remembers those of scanners for the next sweep.
func (s *Sweeper) unneeded(leases []*coordinationv1.Lease) []*coordinationv1.Lease {
	now, wall := s.Clock.Now(), s.Wall.Now()
	var tombstones, abandoned []*coordinationv1.Lease
	scanners := map[string]sighting{}
	for _, lease := range leases {
		over := expired(lease, wall, s.Retention)
		switch {
		case !strings.HasPrefix(lease.Name, onebidv1.LeasePrefix):
		case HolderOf(lease) == "" && over:
			tombstones = append(tombstones, lease)
		case heldByScanner(lease) && (over || !protected(lease)):
			ref, seen := refOf(lease.Namespace, lease.Name), sighting{record: recordOf(lease), since: now}
			if known := s.scanners[ref]; known.record == seen.record {
				seen = known
			}
			scanners[ref] = seen
			if now.Sub(seen.since) > seen.record.duration+abandonedMargin {
				abandoned = append(abandoned, lease)
			}
		}
	}
	s.scanners = scanners
	return append(tombstones, abandoned...)
}

func (s *Sweeper) sweep(ctx context.Context, leases []*coordinationv1.Lease) {
	for _, lease := range leases {
		if !s.Owns(refOf(lease.Namespace, strings.TrimPrefix(lease.Name, onebidv1.LeasePrefix))) {
			continue
		}
		err := s.Leases.Leases(lease.Namespace).Delete(ctx, lease.Name, exactly(lease))
		// NotFound and Conflict mean that it was deleted or taken since it was listed.
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			s.Log.Info("Could not delete a Lease that is not needed", "lease", refOf(lease.Namespace, lease.Name), "reason", err.Error())
		}
		if !s.sleep(ctx, s.Pause) {
			return
		}
	}
}

// sleep waits, and returns false when the context is done.
func (s *Sweeper) sleep(ctx context.Context, d time.Duration) bool {
	timer := s.Clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
		return true
	case <-ctx.Done():
		return false
	}
}
