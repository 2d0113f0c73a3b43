package ownership

import (
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// abandonedMargin is how much longer than its own duration a scanner's Lease is left alone. Nobody waits for its end: who
// wants the posting takes it over.
const abandonedMargin = time.Minute

// abandoned finds the Leases of scanners that died while they evaluated a posting on which nobody ever bids, so that no
// controller takes them over. Between sweeps it remembers what it saw, on the process's own clock; it is for one
// goroutine.
type abandoned struct {
	seen map[string]sighting
}

// find returns those of the Leases that were the same at each call for longer than their own duration and a margin. now is
// the process's own clock after the Leases were read, wall the API server's time.
func (a *abandoned) find(leases []*coordinationv1.Lease, now, wall time.Time, retention time.Duration) []*coordinationv1.Lease {
	var found []*coordinationv1.Lease
	seen := map[string]sighting{}
	for _, lease := range leases {
		if !strings.HasPrefix(lease.Name, onebidv1.LeasePrefix) || !scanning(lease) || protected(lease) && !pastItsTime(lease, wall, retention) {
			continue
		}
		s := sighting{name: lockName(lease.Namespace, lease.Name), record: RecordOf(lease), since: now}
		if known, ok := a.seen[s.name]; ok && known.record == s.record {
			s.since = known.since
		}
		seen[s.name] = s
		if now.Sub(s.since) > s.record.Duration+abandonedMargin {
			found = append(found, lease)
		}
	}
	a.seen = seen
	return found
}

// scanning reports whether a scanner has the Lease. Of a holder that is neither scanner nor controller nothing is known.
func scanning(lease *coordinationv1.Lease) bool {
	holder, err := ParseIdentity(HolderOf(lease))
	return err == nil && holder.Role == RoleScanner
}
