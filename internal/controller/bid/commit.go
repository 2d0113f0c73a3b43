package bid

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/failpoint"
	"github.com/onebid-dev/onebid/internal/ownership"
)

// effect is what a step leaves to be written, in the order in which commit writes it. The zero effect writes nothing.
type effect struct {
	// clear are the UIDs of the Bids whose intents are resolved or were not used.
	clear []types.UID
	// change of the Bid's status. A Bid that is let go gets no status write: the change is for the Posting's history.
	change *bidding.Change
	// remote is the bid that change records, when the step learned of one.
	remote *bidding.Remote
	// forget drops the memory of this Bid's calls: their outcome is recorded, or nothing of them is left.
	forget bool
	// resolved says that the Lease's history was looked up and recorded.
	resolved bool
	// event is written for people.
	event *note
	// letGo writes the tombstone with this outcome and then removes the finalizer; history tells the Posting first.
	letGo   onebidv1.BidState
	history bool
	// tombstone turns the Lease into a tombstone with this outcome.
	tombstone onebidv1.BidState
	// releaseClaim gives the posting back.
	releaseClaim bool

	// decide asks for the next step in the same reconcile.
	decide bool
	// after is when to reconcile again without an event; 0 is never.
	after time.Duration
	// err ends the reconcile once everything is written.
	err error
}

type note struct{ kind, reason, action, note string }

// commits write effects. No other code writes to Bids, their Leases and Postings.
type commits struct{ *state }

// commit writes an effect. After an error the rest of it is not written; the next reconcile goes on from what is.
func (c commits) commit(ctx context.Context, o *owned, e effect) error {
	if err := c.clearIntents(ctx, o, e.clear); err != nil {
		return err
	}
	before := o.live.Status.Outcome
	if e.change != nil {
		if err := c.writeChange(ctx, o, e); err != nil {
			return err
		}
	}
	if e.forget {
		c.calls.forget(o.live.UID)
	}
	if e.resolved && o.claim != nil {
		c.Leases.Resolved(o.claim)
	}
	if e.event != nil {
		c.Events.Eventf(o.live, nil, e.event.kind, e.event.reason, e.event.action, "%s", e.event.note)
	}
	ended := e.change != nil && bidding.Terminal(o.live) && (e.forget || o.live.Status.Outcome != before)
	if err := c.finish(ctx, o, e, ended); err != nil {
		return err
	}
	return e.err
}

// writeChange writes the change to the status, or for a Bid that is let go only to memory.
func (c commits) writeChange(ctx context.Context, o *owned, e effect) error {
	if e.letGo != "" {
		e.change.Apply(o.live, c.Wall.Now())
		return nil
	}
	before := o.live.Status.DeepCopy()
	err := c.writeStatus(ctx, o.live, *e.change)
	if errors.Is(err, errGone) && e.forget && e.remote == nil {
		c.calls.forget(o.live.UID) // the change was that nothing of this Bid is there
	}
	if err != nil {
		return err
	}
	if bidding.UsesCapacity(o.live) {
		o.reservation.Commit()
	}
	c.capacity.Recorded(o.live, c.calls.open(o.live.UID) && !e.forget)
	c.report(o.situation, before, o.live)
	return nil
}

// finish updates the Posting, and ends the claim or the Bid. ended is true when the change recorded the Bid's end.
func (c commits) finish(ctx context.Context, o *owned, e effect, ended bool) error {
	switch {
	case e.letGo != "":
		return c.letGo(ctx, o, e)
	case ended:
		if err := c.postingEnded(ctx, o.live, o.live.Status.Outcome); err != nil {
			return err
		}
		return c.writeTombstone(ctx, o, o.live.Status.Outcome)
	case e.remote != nil:
		return c.Postings.BidActive(ctx, o.live)
	case e.tombstone != "":
		return c.writeTombstone(ctx, o, e.tombstone)
	case e.releaseClaim && o.claim != nil:
		return c.Leases.Release(ctx, o.claim)
	}
	return nil
}

// clearIntents takes intents off the Lease.
func (c commits) clearIntents(ctx context.Context, o *owned, uids []types.UID) error {
	if len(uids) == 0 || o.claim == nil {
		return nil
	}
	kept := o.claim.Intents
	for _, uid := range uids {
		kept = kept.Without(uid)
	}
	if err := c.Leases.SetIntents(ctx, o.claim, kept); err != nil {
		return err
	}
	for _, uid := range uids {
		c.calls.forget(uid)
	}
	return nil
}

// letGo lets a Bid go: first the Posting and the Lease hold how it ended, then the finalizer is removed.
func (c commits) letGo(ctx context.Context, o *owned, e effect) error {
	if e.history {
		if err := c.postingEnded(ctx, o.live, e.letGo); err != nil {
			return err
		}
	}
	if err := c.writeTombstone(ctx, o, e.letGo); err != nil {
		return err
	}
	return c.removeFinalizer(ctx, o.live)
}

// writeTombstone turns the Lease into the tombstone of the Bid, where this process holds it.
func (c commits) writeTombstone(ctx context.Context, o *owned, outcome onebidv1.BidState) error {
	if o.claim == nil {
		return nil
	}
	now := c.Wall.Now()
	until := now
	unknown := bidding.PlacedStatus(o.live) == metav1.ConditionUnknown || outcome == onebidv1.StateIndeterminate
	if o.live.Status.Remote != nil || unknown {
		// Only after a bid that was open at the marketplace, or may have been, does a second one look odd there.
		until = now.Add(o.cooldown())
	}
	return c.Leases.WriteTombstone(ctx, o.claim, ownership.Tombstone{
		EndedAt: now, CooldownUntil: until, Outcome: outcome, BidUID: o.live.UID,
	})
}

// addFinalizer is for clusters without the admission policy that adds it at creation. It is a write of its own: nothing is
// sent for a Bid before the API server has it.
func (c commits) addFinalizer(ctx context.Context, bid *onebidv1.Bid) error {
	failpoint.Before(failpoint.FinalizerAdd)
	err := c.setFinalizers(ctx, bid, append(slices.Clone(bid.Finalizers), onebidv1.FinalizerWithdraw))
	failpoint.After(failpoint.FinalizerAdd, err)
	return err
}

func (c commits) removeFinalizer(ctx context.Context, bid *onebidv1.Bid) error {
	kept := slices.DeleteFunc(slices.Clone(bid.Finalizers), func(f string) bool { return f == onebidv1.FinalizerWithdraw })
	failpoint.Before(failpoint.FinalizerRemove)
	err := c.setFinalizers(ctx, bid, kept)
	failpoint.After(failpoint.FinalizerRemove, err)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	c.calls.forget(bid.UID)
	return nil
}

// setFinalizers replaces the list, on the very version that was read. A merge patch leaves out the spec, whose proposal may be
// long.
func (c commits) setFinalizers(ctx context.Context, bid *onebidv1.Bid, finalizers []string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": bid.UID, "resourceVersion": bid.ResourceVersion, "finalizers": finalizers,
	}})
	if err != nil {
		return err
	}
	target := &onebidv1.Bid{}
	target.Namespace, target.Name = bid.Namespace, bid.Name
	return c.Client.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch))
}

// acknowledge is for a Bid that waits for an event: its Posting must have its end, and a requested reconcile its answer. That a
// bid is open the Posting's own controller makes up for.
func (c commits) acknowledge(ctx context.Context, s *situation) error {
	if s.posting != nil && bidding.Terminal(s.bid) && !c.reported.has(s.bid) {
		if err := c.postingEnded(ctx, s.bid, s.bid.Status.Outcome); err != nil {
			return err
		}
	}
	if bidding.Requested(s.bid) == s.bid.Status.LastHandledReconcileAt {
		return nil
	}
	change := bidding.Acknowledged()
	return c.commit(ctx, c.cached(s), effect{change: &change})
}

// postingEnded tells the Posting how the Bid ended, so that its history outlives the Bid.
func (c commits) postingEnded(ctx context.Context, bid *onebidv1.Bid, outcome onebidv1.BidState) error {
	record := onebidv1.BidRecord{
		UID: string(bid.UID), Outcome: outcome, Price: &bid.Spec.Price, Approval: bidding.ApprovalOf(bid),
		EndedAt: bid.Status.WithdrawalTimestamp,
	}
	if ready := meta.FindStatusCondition(bid.Status.Conditions, onebidv1.ConditionReady); ready != nil && bidding.Terminal(bid) {
		record.Reason = ready.Message
		if answer := bid.Status.LastHandledResolve; answer != "" {
			record.Reason += fmt.Sprintf(" (%s: %s)", onebidv1.AnnotationResolve, answer)
		}
		if record.EndedAt == nil {
			record.EndedAt = &ready.LastTransitionTime
		}
	}
	if record.EndedAt == nil {
		now := metav1.NewTime(c.Wall.Now())
		record.EndedAt = &now
	}
	if remote := bid.Status.Remote; remote != nil {
		record.RemoteBidID, record.PlacedAt = remote.BidID, remote.PlacedAt
	}
	err := c.Postings.BidEnded(ctx, bid, record)
	if err == nil {
		c.reported.add(bid)
	}
	return err
}

// changes is true when a change would alter the status.
func (c commits) changes(bid *onebidv1.Bid, change bidding.Change) bool {
	changed := bid.DeepCopy()
	change.Apply(changed, c.Wall.Now())
	return !equality.Semantic.DeepEqual(bid.Status, changed.Status)
}
