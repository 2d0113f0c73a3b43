package model

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

// What to do is decided by the code itself: bidding.Next on the cached Bid, bidding.Decide on the live one.

var statuses = [...]metav1.ConditionStatus{
	placedFalse: metav1.ConditionFalse, placedTrue: metav1.ConditionTrue, placedUnknown: metav1.ConditionUnknown,
}

var outcomes = [...]onebidv1.BidState{withdrawn: onebidv1.StateWithdrawn, duplicate: onebidv1.StateDuplicate}

var classes = [...]onebidv1.MarketplaceClass{
	idempotencyKey: onebidv1.ClassIdempotencyKey, uniquePerPosting: onebidv1.ClassUniquePerPosting, none: onebidv1.ClassNone,
}

// class is what the decisions get. Without the rule that burns keys, theirs is another one.
func (t *turn) class() onebidv1.MarketplaceClass {
	if t.c.without.keyNotBurned && t.c.class == idempotencyKey {
		return onebidv1.ClassUniquePerPosting
	}
	return classes[t.c.class]
}

func (*turn) view(b bid) bidding.View {
	return bidding.View{
		Placed: statuses[b.placed], Outcome: outcomes[b.outcome], HasRemote: b.remote > 0, Attempts: int32(b.attempts),
		// Every attempt of the model was unknown once.
		Settling: b.placed == placedUnknown || b.attempts > 0, Indeterminate: b.indeterminate,
		Deleting: b.deleting, Withdrawing: b.withdrawing(), Abandoned: b.abandon, Finalizer: b.finalizer,
	}
}

// facts are what the replica knows under its claim.
func (t *turn) facts() bidding.Owned {
	m, uid := t.me, t.me.live.uid
	f := bidding.Owned{
		Plan: plans[m.act], Bid: t.view(m.live), Lease: bidding.LeaseHeld, Class: t.class(), StoresKey: t.c.keys, Connected: true,
		Changed: !m.live.sameStatus(m.cache), Inherited: m.inherited, NotedAttempt: int32(max(m.known[uid], 1) - 1),
		PriorAttempt: int32(max(m.prior[uid], 1) - 1), EarlierBids: t.earlier() != intents{},
		CallAttempt: int32(m.flights[uid].attempt), CallLearned: m.flights[uid].learned > 0, Settled: t.settled(),
	}
	if m.act == place {
		f.Changed = m.live.attempts != m.cache.attempts
	}
	if t.c.without.priorIgnored {
		f.PriorAttempt = 0
	}
	if t.c.without.noFence && bidding.Decide(f) == (bidding.Step{
		Kind: bidding.StepRecord, Fact: bidding.FactOutcomeUnknown, Attempt: f.LastAttempt(),
	}) {
		f.Bid.Placed = metav1.ConditionUnknown // it goes on as if it had fenced
	}
	return f
}

// step is the replica's next step, whatever it is.
func (t *turn) step() {
	switch t.me.pc {
	case idle:
		t.begin()
	case confirm:
		t.own(true)
	case claimed:
		t.readLive()
	case decided:
		t.follow(t.facts(), 0)
	case looked:
		t.send(t.me.live.attempts + 1)
	case calling:
		t.reply()
	case writing:
		t.record()
	case homeless:
		t.withdrawUnaccounted()
	case clearing:
		t.clearEarlier()
	case retracted:
		t.say("believes the withdrawal")
		if t.me.live.deleting {
			t.me.live.outcome, t.me.pc = withdrawn, burying
		} else {
			t.write(factWithdrawn, 0, 0)
		}
	case burying:
		t.bury()
	case releasing:
		t.release()
	}
}

// follow does what bidding.Decide says; id is the bid that the lookup showed.
func (t *turn) follow(f bidding.Owned, id uint8) {
	m := t.me
	step := bidding.Decide(f)
	attempt := uint8(step.Attempt)
	switch step.Kind {
	case bidding.StepFinish:
		t.finish()
	case bidding.StepClearIntent:
		t.clearIntent()
	case bidding.StepForgetCall:
		t.say("sees that the call was resolved")
		m.flights[m.live.uid] = flight{}
		m.rest()
	case bidding.StepAwaitSettle:
		t.say("waits for calls to settle")
		m.rest()
	case bidding.StepLookUp:
		var found uint8
		f.Lookup, found = t.lookup(step.Sent)
		f.EarlierCertain = t.earlierCertain()
		t.say("looks up")
		t.follow(f, found)
	case bidding.StepSend:
		if m.act == place && f.Lookup != "" {
			m.pc = looked
			return
		}
		t.send(attempt)
	case bidding.StepRecord:
		t.recordFact(step.Fact, attempt, id)
	case bidding.StepWithdraw:
		t.withdraw()
	case bidding.StepWithdrawEarlier:
		t.withdrawEarlier()
	default: // bidding.StepRestart
		t.say("sees that the Bid changed meanwhile")
		m.rest()
	}
}

func (t *turn) recordFact(what bidding.Fact, attempt, id uint8) {
	switch what {
	case bidding.FactPlaced:
		if id == 0 {
			id = t.me.flights[t.me.live.uid].learned
		}
		t.write(factPlaced, attempt, id)
	case bidding.FactOutcomeUnknown:
		t.write(factUnknown, attempt, 0)
	case bidding.FactAbsent:
		t.write(factAbsent, attempt, 0)
	case bidding.FactExistingBid:
		t.write(factDuplicate, attempt, 0)
	default: // ambiguous, or absence that proves nothing
		t.write(factIndeterminate, attempt, 0)
	}
	if !t.moved {
		t.say("decides to record")
	}
}

// finish carries out the plan.
func (t *turn) finish() {
	m := t.me
	t.say("is certain that no call is open")
	switch {
	case m.act == report:
		t.write(factUnknown, m.live.attempts, 0)
	case m.act == cancel && !m.live.deleting:
		t.write(factNeverPlaced, 0, 0)
	case m.held && m.bidUID == m.cache.uid:
		m.pc = burying
	case m.act == writeTombstone:
		m.rest()
	default:
		m.pc = releasing
	}
}

// clearIntent takes back an intent that was not used.
func (t *turn) clearIntent() {
	if t.rewrite() {
		t.say("must not place, and takes its intent back")
		uid := t.me.cache.uid
		t.s.lease.intents[uid], t.me.known[uid] = 0, 0
		t.me.rest()
	}
}

// send starts the one call. What becomes of it is for the marketplace's turn to say.
func (t *turn) send(attempt uint8) {
	m := t.me
	if !t.authorized() {
		m.rest()
		t.say("is not certain of its ownership, and does not send")
		return
	}
	burning := t.c.class == idempotencyKey && t.s.open&^bit(m.live.uid) == 0 && m.live.placed == placedUnknown
	if t.s.open != 0 && !burning {
		t.s.broken = brokenI5
	}
	t.s.open |= bit(m.live.uid)
	m.flights[m.live.uid] = flight{attempt: attempt}
	t.s.calls[t.r] = call{stage: sent, uid: m.live.uid}
	m.pc, m.attempt = calling, attempt
	t.say("sends a place call")
}

// reply is the end of a call that the marketplace answered.
func (t *turn) reply() {
	m, c := t.me, &t.s.calls[t.r]
	if c.stage != answered {
		return
	}
	id := c.id
	*c = call{}
	t.s.coverHidden()
	f := t.facts()
	f.Reply, f.Attempt = bidding.Reply(onebidv1.ErrorAlreadyExists), int32(m.attempt)
	t.say("learns that there is a bid already")
	if id > 0 {
		t.said = "learns that its bid is placed"
		m.flights[m.live.uid].learned = id
		f.Reply = bidding.ReplySuccess
	}
	t.follow(f, id)
}

// earlierCertain is true when the lookup tells which bids earlier Bids left.
func (t *turn) earlierCertain() bool {
	_, learned, others := t.leftByEarlier()
	count := 0
	for _, at := range t.earlier() {
		if at > 0 {
			count++
		}
	}
	return t.c.keys || learned == count || others == 0 && t.c.class != none
}

// leftByEarlier are the open bids that earlier Bids left, how many of those this process learned of, and how many others are
// open.
func (t *turn) leftByEarlier() (open []int, learned, others int) {
	left := t.earlier()
	for uid, at := range left {
		if at > 0 && t.me.flights[uid].learned > 0 {
			learned++
		}
	}
	for i, b := range t.s.market {
		switch {
		case !b.live || b.sight != visible:
		case t.c.keys && left[b.uid] > 0 || left[b.uid] > 0 && t.me.flights[b.uid].learned == uint8(i)+1:
			open = append(open, i)
		default:
			others++
		}
	}
	return open, learned, others
}

func (t *turn) withdrawEarlier() {
	m := t.me
	open, _, _ := t.leftByEarlier()
	if len(open) > 0 && !t.authorized() {
		m.rest()
		t.say("is not certain of its ownership, and withdraws nothing")
		return
	}
	for _, i := range open {
		t.s.market[i].live = false
	}
	for uid, at := range t.earlier() {
		if at > 0 {
			m.flights[uid] = flight{}
		}
	}
	m.pc = clearing
	t.say("withdraws what earlier Bids left")
}

func (t *turn) clearEarlier() {
	if t.rewrite() {
		t.say("clears the intents of earlier Bids")
		t.s.lease.intents = t.s.lease.intents.only(t.me.cache.uid)
		t.me.known = t.s.lease.intents
		t.me.prior = t.me.prior.only(t.me.cache.uid)
		t.me.inherited = t.me.prior != (intents{})
		t.me.rest()
	}
}
