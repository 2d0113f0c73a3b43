package simulation

import (
	"strconv"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/history"
)

const (
	namespace = "tenant"
	siteName  = "site"
)

// world is one history.
type world struct {
	*env
	api         *store
	market      *market
	marketplace *onebidv1.Marketplace
	replicas    []*replica // the present life of each; env's mutex guards it
}

func newWorld(p *Plan) *world {
	e := newEnv(p)
	w := &world{env: e, marketplace: site(p), replicas: make([]*replica, p.Replicas)}
	w.api, w.market = newStore(e, w.observe), newMarket(e, w.wanted)
	return w
}

// site is the Marketplace object, with short times.
func site(p *Plan) *onebidv1.Marketplace {
	m := build.Marketplace(namespace, siteName, "http://marketplace.invalid")
	m.UID, m.Generation = "site-uid", 1
	late, visible, cool := int32(lateCommit/time.Second), int32(visibility/time.Second), int32(cooldown/time.Second)
	m.Spec.Mode, m.Spec.Class, m.Spec.Orphans = onebidv1.ModeLive, p.Class, p.Orphans
	m.Spec.TimeoutSeconds, m.Spec.LateCommitSeconds, m.Spec.VisibilitySeconds = int32(callTimeout/time.Second), &late, &visible
	m.Spec.RebidCooldownSeconds, m.Spec.AuditIntervalSeconds = &cool, int32(audits/time.Second)
	m.Spec.Retry = onebidv1.RetryPolicy{InitialSeconds: 1, MaxSeconds: 8, ManualReviewAfter: 6}
	m.Spec.Lock = onebidv1.MarketplaceLock{TTLSeconds: 60, AcquireTimeoutSeconds: 10}
	m.Spec.PostingTTLSeconds = 86400
	m.Spec.Preflight, m.Spec.Approval = onebidv1.PreflightWhenNeeded, onebidv1.ApprovalAutomatic
	return m
}

// replica is the present life of a replica.
func (w *world) replica(index int) *replica {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.replicas[index]
}

// wanted is true while the Bid of that UID is neither terminal nor to be withdrawn.
func (w *world) wanted(uid string) bool {
	for _, bid := range w.api.all() {
		if string(bid.UID) == uid {
			return !bidding.Withdrawing(bid) && !bidding.Terminal(bid)
		}
	}
	return false
}

// postingID and the name of its Bid.
func postingID(i int) string { return "p" + strconv.Itoa(i) }

func bidName(i int) string { return build.Name(siteName, postingID(i)) }

// observe records every write of a Bid. The API server's lock is held.
func (w *world) observe(by string, ch change) {
	switch {
	case ch.before == nil:
		key := bidding.IdempotencyKey(namespace, bidding.KeyOf(ch.after), ch.after.UID)
		w.setOwner(key, string(ch.after.UID))
		w.journal.happened(history.Create, history.Done, ch.after.Spec.PostingID, string(ch.after.UID), "")
	case ch.after == nil:
		w.checkGone(ch.before)
		w.journal.happened(history.Gone, history.Done, ch.before.Spec.PostingID, string(ch.before.UID), "")
	}
	w.note(by, "Bid %s: %s", ch.name, bidWords{ch.after})
}

// checkGone checks that nothing of a Bid that is gone is live.
func (w *world) checkGone(bid *onebidv1.Bid) {
	for _, b := range w.market.of(bid.UID) {
		if b.live() {
			w.violate("I2", "Bid %s (%s) is gone, and %s is live", bid.Name, bid.UID, b)
		}
	}
}
