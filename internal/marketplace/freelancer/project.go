package freelancer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

const (
	// projectsAtOnce keeps the URL well below the length that servers take.
	projectsAtOnce = 50
	// currencyAge is how long a project's currency is taken for the one it has.
	currencyAge = time.Minute
	// maxCurrencies bounds what is remembered.
	maxCurrencies = 10_000

	statusClosed = "closed"
	closedFor    = "closed_awarded" // to another freelancer
)

// project is what we need to know of a posting. The site's word for one that takes no more bids but can still be awarded
// is frozen; its bids are live.
type project struct {
	ID        json.Number `json:"id"`
	Status    string      `json:"status"`
	SubStatus string      `json:"sub_status"`
	Currency  struct {
		Code string `json:"code"`
	} `json:"currency"`
}

// currency of a project, and when it was read.
type currency struct {
	code string
	at   time.Time
}

// currencyOf reads the project's currency, or remembers it.
func (o *operation) currencyOf(ctx context.Context, id string) (string, error) {
	d := o.driver
	d.mu.Lock()
	known, ok := d.currencies[id]
	d.mu.Unlock()
	if ok && d.options.Now().Sub(known.at) < currencyAge {
		return known.code, nil
	}
	var p project
	c, r, err := o.read(ctx, pathProjects+id+"/", nil, &p)
	if err != nil {
		return "", err
	}
	if p.ID.String() != id || p.Currency.Code == "" {
		return "", c.Unreadable(r, errors.New("the project lacks its currency, or is another one"))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.currencies) >= maxCurrencies {
		clear(d.currencies)
	}
	d.currencies[id] = currency{p.Currency.Code, d.options.Now()}
	return p.Currency.Code, nil
}

// complete adds to open bids what only their projects show: the currency, and that they cannot be accepted any more. A
// project that the site does not show us adds nothing.
func (o *operation) complete(ctx context.Context, bids []marketplace.Bid) error {
	var ids []string
	for _, b := range bids {
		if b.Open() {
			ids = append(ids, b.PostingID)
		}
	}
	slices.Sort(ids)
	for some := range slices.Chunk(slices.Compact(ids), projectsAtOnce) {
		projects, err := o.projects(ctx, some)
		switch marketplace.ClassOf(err) {
		case "":
		case onebidv1.ErrorNotFound, onebidv1.ErrorForbidden: // of projects: it says nothing about the bids
			continue
		default:
			return err
		}
		for i := range bids {
			if p, ok := projects[bids[i].PostingID]; ok {
				p.complete(&bids[i])
			}
		}
	}
	return nil
}

func (p project) complete(b *marketplace.Bid) {
	b.Currency = p.Currency.Code
	if p.Status != statusClosed || b.State != onebidv1.RemoteLive {
		return
	}
	b.State, b.Word = onebidv1.RemoteExpired, "project "+statusClosed
	if p.SubStatus == closedFor {
		b.State, b.Word = onebidv1.RemoteLost, "project "+closedFor
	}
}

// projects reads several at once, by ID. Those that are deleted or hidden are missing from the answer.
func (o *operation) projects(ctx context.Context, ids []string) (map[string]project, error) {
	var found struct {
		Projects *[]project `json:"projects"`
	}
	query := url.Values{"projects[]": ids, "limit": {strconv.Itoa(pageSize)}}
	c, r, err := o.read(ctx, pathProjects, query, &found)
	if err != nil {
		return nil, err
	}
	if found.Projects == nil {
		return nil, c.Unreadable(r, fmt.Errorf("the result has no list of projects"))
	}
	out := map[string]project{}
	for _, p := range *found.Projects {
		out[p.ID.String()] = p
	}
	return out, nil
}
