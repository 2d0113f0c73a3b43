package ownership

import (
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// Verdict is what may be done about a posting's Lease.
type Verdict string

const (
	// Create: there is no Lease.
	Create Verdict = "Create"
	// Mine: this process holds it.
	Mine Verdict = "Mine"
	// Take: it is free, and may be taken by an update that is checked against the version judged here.
	Take Verdict = "Take"
	// Held: somebody else has it, until Decision.Until at the earliest.
	Held Verdict = "Held"
	// Cooldown: the last bid there was settled too short a time ago; until Decision.Until nobody may place another.
	Cooldown Verdict = "Cooldown"
	// Confirm: the holder's heartbeat seems dead. Read it live; only that proves it, since a watch may be silent for
	// other reasons.
	Confirm Verdict = "Confirm"
)

// Decision is a verdict and what explains it.
type Decision struct {
	Verdict Verdict
	// Holder has the Lease, when Held or Confirm.
	Holder string
	// Until is when to look again: on the process's own clock when Held or Confirm, the API server's when Cooldown.
	Until time.Time
	// Tombstone is what forbids a bid when Cooldown.
	Tombstone Tombstone
}

// Pulse is what this process knows of the heartbeat of a posting's holder.
type Pulse struct {
	// Readable is false when this process cannot judge the heartbeat; then the posting's Lease speaks for itself.
	Readable bool
	// Until is the end of the observation window, on the process's own clock: the heartbeat's duration after its last
	// change was seen or, when there is no such Lease, after that was first seen.
	Until time.Time
	// Dead is true when a live read at or after Until confirmed that nothing had changed.
	Dead bool
}

// Facts are what Decide cannot read from the Lease.
type Facts struct {
	// Wall is the API server's time, for cooldowns.
	Wall time.Time
	// Since is when this process first saw the Lease's present record, on its own clock.
	Since time.Time
	// Pulse is that of the heartbeat which HeartbeatOf names.
	Pulse Pulse
	// BidExists is true for a controller that acts for a Bid. A scanner's work, evaluate and then create, is over by
	// then, so its hold ends without a release.
	BidExists bool
	// BidUID is the Bid to act for, if any. The tombstone of a Bid is final for that very Bid: who comes for it again saw
	// an old version of it.
	BidUID types.UID
	// IgnoreCooldown is true for work that is owed although the posting is settled: taking back a bid that turned up late.
	IgnoreCooldown bool
}

// HeartbeatOf returns "<namespace>/<name>" of the heartbeat Lease by which the present holder is to be judged, or ""
// when only the posting's Lease speaks for it: the holder is no controller, names no heartbeat, or the annotation is a
// predecessor's that a competitor left in place.
func HeartbeatOf(lease *coordinationv1.Lease) string {
	holder, err := ParseIdentity(HolderOf(lease))
	if err != nil || holder.Role != RoleController {
		return ""
	}
	ref := lease.Annotations[onebidv1.AnnotationHeartbeat]
	if _, name, _ := strings.Cut(ref, "/"); name != holder.HeartbeatName() {
		return ""
	}
	return ref
}

// Decide says what this process may do about a posting's Lease; nil means that there is none. now is the process's own
// clock. Taking also needs the update to succeed against the very version that was judged.
func Decide(lease *coordinationv1.Lease, me Identity, facts Facts, now time.Time) Decision {
	if lease == nil {
		return Decision{Verdict: Create}
	}
	holder := HolderOf(lease)
	switch holder {
	case "":
		return free(lease, facts)
	case me.String():
		return mine(lease, facts)
	}
	if id, err := ParseIdentity(holder); err == nil && id.Role == RoleScanner &&
		me.Role == RoleController && facts.BidExists {
		return free(lease, facts)
	}

	ended := facts.Since.Add(durationOf(lease))
	pulse := facts.Pulse.Readable && HeartbeatOf(lease) != ""
	// A controller goes by the heartbeat alone. Whoever does not watch heartbeats all the time waits for both: the
	// Lease's own duration, and then a look at the heartbeat.
	if now.Before(ended) && (!pulse || me.Role != RoleController) {
		return Decision{Verdict: Held, Holder: holder, Until: ended}
	}
	if !pulse || facts.Pulse.Dead {
		return free(lease, facts)
	}
	if now.Before(facts.Pulse.Until) {
		return Decision{Verdict: Held, Holder: holder, Until: facts.Pulse.Until}
	}
	return Decision{Verdict: Confirm, Holder: holder, Until: facts.Pulse.Until}
}

// mine judges a Lease that this process holds. A tombstone that was taken to finish its own Bid is no hold for the next.
func mine(lease *coordinationv1.Lease, facts Facts) Decision {
	if decision := free(lease, facts); decision.Verdict == Cooldown {
		return decision
	}
	return Decision{Verdict: Mine}
}

// free judges a Lease whose holder, if any, is out of the way.
func free(lease *coordinationv1.Lease, facts Facts) Decision {
	stone, settled := tombstoneOf(lease)
	buried := facts.BidUID != "" && stone.BidUID == facts.BidUID
	if settled && !facts.IgnoreCooldown && (buried || facts.Wall.Before(stone.CooldownUntil)) {
		return Decision{Verdict: Cooldown, Until: stone.CooldownUntil, Tombstone: stone}
	}
	return Decision{Verdict: Take}
}
