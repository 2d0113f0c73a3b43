package ownership

import (
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
)

// verdict is what may be done about a Lease.
type verdict string

const (
	// verdictCreate: there is no Lease.
	verdictCreate verdict = "Create"
	// verdictOwn: this process is the holder.
	verdictOwn verdict = "Own"
	// verdictTake: the Lease may be taken, by an update of the version that was judged.
	verdictTake verdict = "Take"
	// verdictHeld: another process holds it.
	verdictHeld verdict = "Held"
	// verdictCooldown: a tombstone forbids another bid.
	verdictCooldown verdict = "Cooldown"
	// verdictConfirm: the holder's heartbeat seems dead. Only a live read proves it: a watch may be silent for other reasons.
	verdictConfirm verdict = "Confirm"
)

// heartbeatState is what this process knows of the heartbeat of a Lease's holder.
type heartbeatState struct {
	// readable is false when this process cannot judge the heartbeat. Then only the Lease's own duration counts.
	readable bool
	// until is the end of the observation window, on the process's own clock: the heartbeat's duration after its last
	// change was seen, or after it was first seen to be missing.
	until time.Time
	// dead is true when a live read at or after until confirmed that nothing had changed.
	dead bool
}

// facts are what decide cannot read from the Lease.
type facts struct {
	// wall is the API server's time, for cooldowns.
	wall time.Time
	// since is when this process first saw the Lease's present record, on its own clock.
	since time.Time
	// heartbeat is that of the Lease's holder.
	heartbeat heartbeatState
	// bidUID is the Bid to act for, if any. A scanner evaluates and then creates the Bid, so its hold has ended without a
	// release once there is one. A Bid's own tombstone is final for it: the caller saw an old version of the Bid.
	bidUID types.UID
	// ignoreCooldown is true for work that a tombstone does not end: withdrawing a bid that turned up late.
	ignoreCooldown bool
}

// decide says what this process may do about a Lease; nil means that there is none. until is when to look again: on the
// process's own clock for verdictHeld and verdictConfirm, on the API server's for verdictCooldown. now is the process's
// own clock.
func decide(lease *coordinationv1.Lease, me Identity, f facts, now time.Time) (v verdict, until time.Time) {
	if lease == nil {
		return verdictCreate, time.Time{}
	}
	switch HolderOf(lease) {
	case "":
		return cooldownOr(verdictTake, lease, f)
	case me.String():
		// A tombstone that was taken to finish its own Bid is no claim for the next one.
		return cooldownOr(verdictOwn, lease, f)
	}
	if heldByScanner(lease) && me.Role == RoleController && f.bidUID != "" {
		return cooldownOr(verdictTake, lease, f)
	}

	expiry := f.since.Add(durationOf(lease))
	judged := f.heartbeat.readable && heartbeatOf(lease) != ""
	// A controller goes by the heartbeat alone. A scanner does not watch heartbeats, so it waits for both: the Lease's own
	// duration, and then a look at the heartbeat.
	switch {
	case now.Before(expiry) && (!judged || me.Role != RoleController):
		return verdictHeld, expiry
	case !judged || f.heartbeat.dead:
		return cooldownOr(verdictTake, lease, f)
	case now.Before(f.heartbeat.until):
		return verdictHeld, f.heartbeat.until
	}
	return verdictConfirm, f.heartbeat.until
}

// cooldownOr is the verdict, unless a tombstone forbids a bid.
func cooldownOr(v verdict, lease *coordinationv1.Lease, f facts) (verdict, time.Time) {
	t, found := tombstoneOf(lease)
	ownTombstone := f.bidUID != "" && t.BidUID == f.bidUID
	if found && !f.ignoreCooldown && (ownTombstone || f.wall.Before(t.CooldownUntil)) {
		return verdictCooldown, t.CooldownUntil
	}
	return v, time.Time{}
}
