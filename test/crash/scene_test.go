package crash_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/ownership"
	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/test/harness"
)

// scene is one cell being played.
type scene struct {
	T    *testing.T
	G    *WithT
	crew *crew
	cell cell
	// id of the posting, which only this cell uses.
	id  string
	bid *onebidv1.Bid
	// answers that a person gave.
	answers int
	// audits is true when the bid is the audit's to withdraw.
	audits  bool
	audited time.Time
	// lost is true once a proxy lost the request that it was to lose.
	lost atomic.Bool
	// victim stands still, since stopped.
	victim  *replica
	stopped time.Time
}

func (s *scene) play() {
	s.cell.play.run(s)
	s.await("the end that is wanted", s.converged)
	s.awaken()
	s.await("the end that is wanted, still", s.converged)
	if !s.gone() {
		s.crew.Delete(s.bid)
		s.await("the Bid to go", s.gone)
	}
	s.check()
}

// must fails the cell.
func (s *scene) must(err error) {
	s.T.Helper()
	s.G.Expect(err).NotTo(HaveOccurred())
}

// await waits for a condition while a person looks after what only a person can.
func (s *scene) await(what string, ok func() bool) {
	s.T.Helper()
	s.G.Eventually(func() bool {
		s.help()
		return ok()
	}).Should(BeTrue(), func() string { return "waiting for " + what + ", have\n" + s.describe() })
}

func (s *scene) until(what string, ok func(*onebidv1.Bid) bool) {
	s.T.Helper()
	s.G.Eventually(func() bool {
		live, err := s.live()
		return err == nil && ok(live)
	}).Should(BeTrue(), func() string { return "waiting for " + what + ", have\n" + s.describe() })
}

func (s *scene) describe() string {
	if s.bid == nil {
		return harness.Describe(nil)
	}
	live, err := s.live()
	if err != nil {
		return err.Error()
	}
	return harness.Describe(live) + fmt.Sprintf("ledger: %+v", s.row())
}

func (s *scene) live() (*onebidv1.Bid, error) {
	live := &onebidv1.Bid{}
	return live, world.Env.Client.Get(s.T.Context(), client.ObjectKeyFromObject(s.bid), live)
}

func (s *scene) row() marketsim.Row { return s.crew.Row(s.id) }

func (s *scene) create() {
	s.T.Helper()
	s.bid = s.crew.Bid(s.id)
}

func (s *scene) posting() *onebidv1.Posting { return build.Posting(s.crew.NS, "rest", s.id) }

func (s *scene) patch(bid *onebidv1.Bid, p client.Patch) {
	s.T.Helper()
	s.must(client.IgnoreNotFound(world.Env.Client.Patch(s.T.Context(), bid.DeepCopy(), p)))
}

func (s *scene) fail(f marketsim.Fault) {
	s.T.Helper()
	f.Posting = s.id
	s.crew.Fault(f)
}

func (s *scene) active() {
	s.T.Helper()
	s.until("Active", func(b *onebidv1.Bid) bool { return b.Status.State == onebidv1.StateActive })
}

// unknown creates the Bid and waits until the outcome of its call is noted as unknown.
func (s *scene) unknown() {
	s.T.Helper()
	s.create()
	s.until("OutcomeUnknown", func(b *onebidv1.Bid) bool {
		return harness.ReasonOf(b, onebidv1.ConditionPlaced) == onebidv1.ReasonOutcomeUnknown
	})
}

// arm prepares the cell's own fault.
func (s *scene) arm() {
	s.T.Helper()
	c := s.cell
	switch c.fault {
	case kill:
		s.armed("%s %s kill", c.point, c.side)
	case nap, sleep:
		s.armed("%s %s stop", c.point, c.side)
	case drop:
		// The mark only tells that the request comes next; a proxy loses it.
		meets, line := wanted(c.point, s.crew.NS), s.line()
		line.Lose(harness.Loss{Carried: c.side == after, Wanted: func(r *http.Request) bool {
			return s.crew.reached() && meets(r) && !s.lost.Swap(true)
		}})
		s.armed("%s %s pass", c.point, before)
	}
}

func (s *scene) armed(format string, words ...any) {
	s.T.Helper()
	s.crew.arm(fmt.Sprintf(format, words...))
}

func (s *scene) line() *harness.Proxy {
	if requests[s.cell.point].line == toAPI {
		return s.crew.api
	}
	return s.crew.market
}

// strike waits for the cell's fault to happen, and lets the others go on.
func (s *scene) strike() {
	s.T.Helper()
	switch s.cell.fault {
	case kill:
		s.await("a replica that died", func() bool { return s.crew.reached() && s.crew.ended() > 0 })
		s.crew.replace()
	case nap, sleep:
		s.await("a replica that stands still", func() bool {
			s.victim = s.crew.victim()
			return s.crew.reached() && s.victim != nil
		})
		s.stopped = time.Now()
		if s.cell.fault == nap {
			s.await("another replica that takes over", s.takenFrom)
			s.awaken()
		}
	case drop:
		s.await("a lost request", s.lost.Load)
	}
}

// takenFrom is true when the victim counts as dead and another replica has its posting, or nobody wants it.
func (s *scene) takenFrom() bool {
	since := time.Since(s.stopped)
	return since > dead && (!s.heldBy(s.victim) || since > 2*dead)
}

// released is true when nobody holds the posting's Lease, or whoever did is dead.
func (s *scene) released() bool {
	lease, err := s.lease()
	s.must(err)
	return !slices.ContainsFunc(s.crew.replicas, func(r *replica) bool { return r.is(ownership.HolderOf(lease)) && !r.stopped() })
}

// heldBy is true when a replica holds the posting's Lease.
func (s *scene) heldBy(r *replica) bool {
	lease, err := s.lease()
	return err == nil && r.is(ownership.HolderOf(lease))
}

func (s *scene) lease() (*coordinationv1.Lease, error) {
	name, err := bidding.KeyOf(s.bid).LeaseName()
	s.must(err)
	lease := &coordinationv1.Lease{}
	return lease, world.Env.Client.Get(s.T.Context(), client.ObjectKey{Namespace: s.crew.NS, Name: name}, lease)
}

// awaken lets the victim go on, and waits until it had its say: its heartbeat is back, and what it had begun to send is
// there.
func (s *scene) awaken() {
	s.T.Helper()
	if s.victim == nil {
		return
	}
	victim := s.victim
	s.victim = nil
	s.await("the end of its heartbeat", func() bool { return time.Since(s.stopped) > dead })
	calls := len(s.crew.Calls(marketsim.VerbPlace, s.id))
	resumed := time.Now()
	s.must(victim.Signal(syscall.SIGCONT))
	if s.cell.late() {
		s.await("the late call", func() bool { return len(s.crew.Calls(marketsim.VerbPlace, s.id)) > calls })
	}
	s.await("its heartbeat", func() bool { return s.beat(victim).After(resumed) })
}

// beat is when a replica last renewed its heartbeat.
func (s *scene) beat(r *replica) time.Time {
	list := &coordinationv1.LeaseList{}
	s.must(world.Env.Client.List(s.T.Context(), list, client.InNamespace(s.crew.System)))
	for i := range list.Items {
		if r.is(ownership.HolderOf(&list.Items[i])) {
			return list.Items[i].Spec.RenewTime.Time
		}
	}
	return time.Time{}
}

func (s *scene) gone() bool {
	_, err := s.live()
	if !apierrors.IsNotFound(err) {
		s.must(err)
		return false
	}
	if live := s.row().Live; live > 0 && !s.audits && !s.cell.twice() {
		s.T.Fatalf("I2 broken: the Bid is gone, and %d bids are live", live)
	}
	return true
}

// converged is true when the marketplace and the Bid are as the Bid wants it.
func (s *scene) converged() bool {
	live, err := s.live()
	switch {
	case apierrors.IsNotFound(err):
		return s.gone() && s.row().Live == 0
	case err != nil:
		s.must(err)
		return false
	case !live.DeletionTimestamp.IsZero():
		return false
	case live.Spec.Withdraw != nil:
		return live.Status.Outcome == onebidv1.StateWithdrawn && s.row().Live == 0
	default:
		return live.Status.State == onebidv1.StateActive && (s.row().Live == 1 || s.cell.twice()) &&
			slices.Contains(live.Finalizers, onebidv1.FinalizerWithdraw)
	}
}

// help does what only people do: say what became of a bid that nobody can find out about, as the marketplace shows it, and
// ask for an audit.
func (s *scene) help() {
	s.T.Helper()
	if s.bid == nil {
		return
	}
	// A replica may hold the Lease without knowing, its reply being lost; the next audit finds out.
	if s.audits && (s.crew.reached() || s.released()) && time.Since(s.audited) > time.Second {
		s.audited = time.Now()
		s.crew.audit(s.T.Context())
	}
	live, err := s.live()
	if err != nil || live.Status.State != onebidv1.StateIndeterminate ||
		live.Annotations[onebidv1.AnnotationResolve] != live.Status.LastHandledResolve {
		return
	}
	word := onebidv1.ResolveNotPlaced
	if s.row().Live > 0 {
		word = onebidv1.ResolvePlaced
	}
	s.answers++
	s.patch(live, annotation(onebidv1.AnnotationResolve, fmt.Sprintf("%s:%d", word, s.answers)))
}

func annotation(name, value string) client.Patch {
	return client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, name, value))
}

// audit asks for one.
func (c *crew) audit(ctx context.Context) {
	market := &onebidv1.Marketplace{}
	market.Namespace, market.Name = c.NS, "rest"
	_ = world.Env.Client.Patch(ctx, market, annotation(onebidv1.AnnotationReconcileRequestedAt, time.Now().Format(time.RFC3339Nano)))
}
