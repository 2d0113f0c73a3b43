package httpdriver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"github.com/onebid-dev/onebid/internal/celeval"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// reader reads a list to its end.
type reader struct {
	*operation
	list  *listing
	vars  map[string]any // of requests
	seen  map[string]int // bid by ID, as an index of bids
	bids  []marketplace.Bid
	pages int
}

// readAll reads every page of every variant, or fails.
func (o *operation) readAll(ctx context.Context, l *listing, vars map[string]any) ([]marketplace.Bid, error) {
	vars, err := o.withAccount(ctx, vars, l.sees("account"))
	if err != nil {
		return nil, err
	}
	r := &reader{operation: o, list: l, vars: vars, seen: map[string]int{}, bids: []marketplace.Bid{}}
	for _, variant := range l.variants {
		asked := map[string]bool{}
		var last [sha256.Size]byte
		next := map[string]string{}
		for page := 1; page == 1 || len(next) > 0; page++ {
			reply, call, err := r.fetch(ctx, variant, next, asked)
			if err != nil {
				return nil, err
			}
			sum := sha256.Sum256(reply.Raw)
			if page > 1 && sum == last {
				return nil, call.Unreadable(reply, fmt.Errorf("page %d is the same as the one before: %s.next does not move on",
					page, r.field()))
			}
			last = sum
			if err := r.take(ctx, reply); err != nil {
				return nil, call.Unreadable(reply, err)
			}
			if next, err = r.next(ctx, reply, page); err != nil {
				return nil, call.Unreadable(reply, err)
			}
		}
	}
	return r.bids, nil
}

func (r *reader) field() string { return root + "." + r.name }

// fetch gets one page. A page that was asked for already is an error: the marketplace leads in a circle.
func (r *reader) fetch(
	ctx context.Context, variant []parameter, next map[string]string, asked map[string]bool,
) (*wire.Reply, *wire.Call, error) {
	vars := maps.Clone(r.vars)
	vars["next"] = next
	m, err := r.build(ctx, r.list.request, vars, extras{query: variant, next: next})
	call := r.call(m)
	if err != nil {
		return nil, nil, call.Unsent(err)
	}
	id := identity(m.Message)
	if asked[id] {
		return nil, nil, call.Fail(call.Open(), fmt.Sprintf("page %d was read already: %s.next leads in a circle",
			r.pages+1, r.field()), nil)
	}
	asked[id] = true
	r.pages++
	if r.pages > r.options.MaxPages {
		return nil, nil, call.Fail(call.Open(), fmt.Sprintf("the list has more than %d pages", r.options.MaxPages), nil)
	}
	reply, failure := r.exchange(ctx, call, m)
	return reply, call, failure
}

// identity tells requests for different pages apart.
func identity(m *wire.Message) string {
	sum := sha256.Sum256(m.Body)
	return m.URL.RawQuery + "\x00" + string(sum[:])
}

// take reads the bids of one page.
func (r *reader) take(ctx context.Context, reply *wire.Reply) error {
	if reply.Status == http.StatusNoContent {
		return errors.New("there is no list in the reply")
	}
	vars := varsOf(reply)
	if bid, ok := r.vars["bid"]; ok {
		vars["bid"] = bid
	}
	items, err := r.list.items.List(ctx, vars)
	if err != nil {
		return err
	}
	for i, item := range items {
		vars["item"] = item
		bid, err := r.readBid(ctx, vars)
		if err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		// A bid that is met again moved between pages meanwhile; the later reading counts.
		if at, ok := r.seen[bid.ID]; ok {
			r.bids[at] = bid
			continue
		}
		r.seen[bid.ID] = len(r.bids)
		r.bids = append(r.bids, bid)
	}
	return nil
}

func (r *reader) next(ctx context.Context, reply *wire.Reply, page int) (map[string]string, error) {
	if r.list.next == nil {
		return nil, nil //nolint:nilnil // there is no next page
	}
	vars := varsOf(reply)
	vars["page"] = int64(page)
	value, err := r.list.next.Eval(ctx, vars)
	if err != nil {
		return nil, err
	}
	next, err := celeval.TextMap(value)
	if err != nil {
		return nil, r.list.next.Wrap(err)
	}
	return next, nil
}
