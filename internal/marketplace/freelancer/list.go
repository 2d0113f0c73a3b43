package freelancer

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// pageSize is the most that the site gives at once. Without it there are ten.
const pageSize = 100

const changed = "the list changed while it was read"

// reader reads a list of our bids to its end.
type reader struct {
	*operation

	self, project string // a project of "" is any
	seen          map[string]int
	bids          []marketplace.Bid
}

// readAll reads every page, or fails. The site does not say how many there are, and may give fewer at once than it was
// asked for; so only a page with nothing new on it is the last. Each page begins with the last bid of the one before: when
// another is there, one has left the list meanwhile, and others may have slipped past us.
func (r *reader) readAll(ctx context.Context) error {
	offset, overlap, stale := 0, false, 0
	for page := 1; page <= r.driver.options.MaxPages; page++ {
		n, fresh, err := r.page(ctx, offset, overlap)
		if err != nil {
			return err
		}
		if n == 0 || (n == 1 && !fresh) {
			return nil
		}
		// Once that is because new bids pushed the old ones back; twice, because the site does not heed the offset.
		stale++
		if fresh {
			stale = 0
		}
		if stale > 1 {
			return r.fail("the list does not move on")
		}
		overlap = n > 1
		offset += max(n-1, 1)
	}
	return r.fail(fmt.Sprintf("the list has more than %d pages", r.driver.options.MaxPages))
}

func (r *reader) fail(why string) error {
	return r.call(wire.Reading, nil).Fail(onebidv1.ErrorTransient, why, nil)
}

// page reads the bids from an offset on: how many there are, and whether one of them is new to us.
func (r *reader) page(ctx context.Context, offset int, overlap bool) (n int, fresh bool, err error) {
	query := url.Values{
		"bidders[]": {r.self}, "limit": {strconv.Itoa(pageSize)}, "offset": {strconv.Itoa(offset)},
	}
	if r.project != "" {
		query.Set("projects[]", r.project)
	}
	var found struct {
		Bids *[]bid `json:"bids"`
	}
	c, reply, err := r.read(ctx, pathBids, query, &found)
	if err != nil {
		return 0, false, err
	}
	if found.Bids == nil {
		return 0, false, c.Unreadable(reply, errors.New("the result has no list of bids"))
	}
	for i, b := range *found.Bids {
		if err := b.check(r.self, r.project); err != nil {
			return 0, false, c.Unreadable(reply, err)
		}
		at, known := r.seen[b.ID.String()]
		switch {
		case known: // it moved meanwhile; the later reading counts
			r.bids[at] = r.driver.translate(b)
		case i == 0 && overlap:
			return 0, false, r.fail(changed)
		default:
			fresh = true
			r.seen[b.ID.String()] = len(r.bids)
			r.bids = append(r.bids, r.driver.translate(b))
		}
	}
	if overlap && len(*found.Bids) == 0 {
		return 0, false, r.fail(changed)
	}
	return len(*found.Bids), fresh, nil
}

// list gives all our bids, on one project or on any.
func (o *operation) list(ctx context.Context, project string) ([]marketplace.Bid, error) {
	self, err := o.account(ctx)
	if err != nil {
		return nil, err
	}
	r := &reader{operation: o, self: self, project: project, seen: map[string]int{}, bids: []marketplace.Bid{}}
	if err := r.readAll(ctx); err != nil {
		return nil, err
	}
	if err := o.complete(ctx, r.bids); err != nil {
		return nil, err
	}
	return r.bids, nil
}
