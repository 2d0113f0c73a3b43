package crash_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/failpoint"
)

// side of a boundary: before the request is sent, or after it was carried out.
type side string

const (
	before side = "before"
	after  side = "after"
)

// fault is what happens at the boundary.
type fault string

const (
	// kill is kill -9; a new replica is started at once.
	kill fault = "kill"
	// nap is SIGSTOP until the replica counts as dead and another one took over what there is to take over.
	nap fault = "nap"
	// sleep is SIGSTOP until another replica has finished the work.
	sleep fault = "sleep"
	// drop loses the request (before) or its reply (after) between the replica and whom it talks to.
	drop fault = "drop"
)

// line is where a proxy can lose requests.
type line string

const (
	toAPI    line = "API server"
	toMarket line = "marketplace"
)

// requests tell proxies which request belongs to a point. Wire has none: what leaves there belongs to another point.
var requests = map[failpoint.Point]struct {
	line    line
	pattern *regexp.Regexp
}{
	failpoint.LeaseCreate:     {toAPI, regexp.MustCompile(`^POST .*/leases(\?|$)`)},
	failpoint.LeaseUpdate:     {toAPI, regexp.MustCompile(`^PUT .*/leases/bid-lock\.`)},
	failpoint.LeaseAssert:     {toAPI, regexp.MustCompile(`^PUT .*/leases/bid-lock\.`)},
	failpoint.LeaseIntents:    {toAPI, regexp.MustCompile(`^PUT .*/leases/bid-lock\.`)},
	failpoint.LeaseTombstone:  {toAPI, regexp.MustCompile(`^PUT .*/leases/bid-lock\.`)},
	failpoint.LeaseRelease:    {toAPI, regexp.MustCompile(`^(PUT|DELETE) .*/leases/bid-lock\.`)},
	failpoint.Record:          {toAPI, regexp.MustCompile(`^PUT .*/bids/[^/]+/status`)},
	failpoint.History:         {toAPI, regexp.MustCompile(`^PUT .*/postings/[^/]+/status`)},
	failpoint.FinalizerAdd:    {toAPI, regexp.MustCompile(`^PATCH .*/bids/[^/]+(\?|$)`)},
	failpoint.FinalizerRemove: {toAPI, regexp.MustCompile(`^PATCH .*/bids/[^/]+(\?|$)`)},
	failpoint.Place:           {toMarket, regexp.MustCompile(`^POST .*/bids$`)},
	failpoint.Withdraw:        {toMarket, regexp.MustCompile(`^POST .*/withdraw$`)},
	failpoint.AuditWithdraw:   {toMarket, regexp.MustCompile(`^POST .*/withdraw$`)},
	failpoint.ReadBack:        {toMarket, regexp.MustCompile(`^GET .*/bids/[^/]+$`)},
	failpoint.Lookup:          {toMarket, regexp.MustCompile(`^GET .*/bids\?.*posting_id=`)},
}

// wanted selects the request of a point, of the tenant of a namespace.
func wanted(p failpoint.Point, namespace string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		mine := requests[p].line == toMarket || strings.Contains(r.URL.Path, "/namespaces/"+namespace+"/")
		return mine && requests[p].pattern.MatchString(r.Method+" "+r.URL.RequestURI())
	}
}

// cell is one fault at one side of one boundary, in one play, at a marketplace of one class.
type cell struct {
	play  *play
	point failpoint.Point
	side  side
	fault fault
	class onebidv1.MarketplaceClass
}

func (c cell) String() string {
	return fmt.Sprintf("%s/%s/%s/%s/%s", c.play.name, c.point, c.side, c.fault, c.class)
}

// sending is true when a bid is being placed at this point, so that a sender may come late.
func (c cell) sending() bool {
	return c.play.places && (c.point == failpoint.Place || c.point == failpoint.Wire)
}

// late is true when a replica stops with all checks behind it and the bytes of a place unsent.
func (c cell) late() bool {
	return c.sending() && c.side == before && (c.fault == nap || c.fault == sleep)
}

// twice is true for the one way to two live bids, the limit of class None: a sender sleeps between its last check and the
// first byte until a person has said that nothing was placed and the bid was placed again.
func (c cell) twice() bool {
	return c.late() && c.fault == sleep && c.class == onebidv1.ClassNone
}

var classes = []onebidv1.MarketplaceClass{
	onebidv1.ClassIdempotencyKey, onebidv1.ClassUniquePerPosting, onebidv1.ClassNone,
}

// cells are all there are, in the order in which they run: each round has one of each boundary, so that the first minute
// shows something of everything. Faults, sides and classes take turns within a round.
func cells() []cell {
	var boundaries [][]cell
	for i, p := range plays() {
		for j, point := range p.points {
			of := variants(&p, point)
			turn := (5*i + 3*j) % len(of)
			boundaries = append(boundaries, slices.Concat(of[turn:], of[:turn]))
		}
	}
	var all []cell
	for round := 0; ; round++ {
		n := len(all)
		for _, of := range boundaries {
			if round < len(of) {
				all = append(all, of[round])
			}
		}
		if len(all) == n {
			return all
		}
	}
}

// variants of a boundary: every fault on both sides in every class, but for what makes no sense.
func variants(p *play, point failpoint.Point) []cell {
	var of []cell
	for _, f := range []fault{kill, nap, sleep, drop} {
		for _, s := range []side{before, after} {
			for _, class := range classes {
				_, dropped := requests[point]
				if f == drop && !dropped || len(p.classes) > 0 && !slices.Contains(p.classes, class) {
					continue
				}
				of = append(of, cell{play: p, point: point, side: s, fault: f, class: class})
			}
		}
	}
	return of
}

// selected are the cells that -only names.
func selected(all []cell) []cell {
	return slices.DeleteFunc(all, func(c cell) bool {
		return !slices.ContainsFunc(strings.Split(*only, ","), func(part string) bool { return strings.Contains(c.String(), part) })
	})
}

// Every point is reached by some play, each in every class unless the play says otherwise, and no cell comes twice.
func TestCells(t *testing.T) {
	g := NewWithT(t)
	names := map[string]bool{}
	reached := map[failpoint.Point]bool{}
	for _, c := range cells() {
		g.Expect(names).NotTo(HaveKey(c.String()))
		names[c.String()] = true
		reached[c.point] = true
	}
	for _, p := range failpoint.All() {
		g.Expect(reached).To(HaveKey(p))
	}
}
