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

// Sweeper deletes postings' Leases that nobody needs: tombstones past their time, and what scanners left that died. It is
// slow: nobody waits for it, and everybody needs the API server.
type Sweeper struct {
	// Leases deletes.
	Leases coordinationv1client.LeasesGetter
	// List returns postings' Leases. Stale ones do no harm: deletes are for the very version listed.
	List func(ctx context.Context) ([]*coordinationv1.Lease, error)
	// Owns reports whether this replica sweeps a posting, by "<namespace>/<name of the posting>".
	Owns func(key string) bool
	// Retention is how long after its settlement a tombstone is kept at least, to convict late arrivals.
	Retention time.Duration
	// Interval is the time between two sweeps.
	Interval time.Duration
	// Pause is the time after each delete.
	Pause time.Duration
	// Clock waits, and measures how long a scanner has been silent; Wall is the API server's time.
	Clock clock.Clock
	Wall  clock.PassiveClock
	Log   logr.Logger

	abandoned abandoned
}

// NeedLeaderElection says that every replica sweeps its own share. controller-runtime asks for it.
func (*Sweeper) NeedLeaderElection() bool { return false }

// Run sweeps until the context is done. It blocks. Requests: one delete per Lease that nobody needs.
func (s *Sweeper) Run(ctx context.Context) error {
	for s.sleep(ctx, s.Interval) {
		leases, err := s.List(ctx)
		if err != nil {
			s.Log.Info("Could not list Leases to sweep", "reason", err.Error())
			continue
		}
		now, wall := s.Clock.Now(), s.Wall.Now()
		s.sweep(ctx, append(Swept(leases, wall, s.Retention), s.abandoned.find(leases, now, wall, s.Retention)...))
	}
	return nil
}

// Start is Run, under the name that controller-runtime asks for.
func (s *Sweeper) Start(ctx context.Context) error { return s.Run(ctx) }

// Swept selects the postings' Leases that are tombstones past their time.
func Swept(leases []*coordinationv1.Lease, now time.Time, retention time.Duration) []*coordinationv1.Lease {
	var swept []*coordinationv1.Lease
	for _, lease := range leases {
		if strings.HasPrefix(lease.Name, onebidv1.LeasePrefix) && Sweepable(lease, now, retention) {
			swept = append(swept, lease)
		}
	}
	return swept
}

func (s *Sweeper) sweep(ctx context.Context, leases []*coordinationv1.Lease) {
	for _, lease := range leases {
		if !s.Owns(lease.Namespace + "/" + strings.TrimPrefix(lease.Name, onebidv1.LeasePrefix)) {
			continue
		}
		err := s.Leases.Leases(lease.Namespace).Delete(ctx, lease.Name, exactly(lease))
		switch {
		case apierrors.IsNotFound(err) || apierrors.IsConflict(err):
			// Somebody deleted it or took it: it is none of ours any more.
		case err != nil:
			s.Log.Info("Could not delete a Lease that nobody needs", "lease", lockName(lease.Namespace, lease.Name), "reason", err.Error())
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
