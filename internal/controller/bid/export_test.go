package bid

import "context"

// ReplicasChanged is what wakeups does when the members say so.
func (r *Reconciler) ReplicasChanged(ctx context.Context) { r.capacity.HandOverAll(ctx) }
