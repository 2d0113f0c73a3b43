package marketsim

import (
	"net/http"
	"time"
)

// restShape is a plain JSON API: POST and GET /bids, GET /bids/{id}, POST /bids/{id}/withdraw, GET /me. Lists page by
// number (page, per_page, next_page); errors are {"error":{"code","message"}}.
type restShape struct{}

func (restShape) token(r *http.Request) string { return bearer(r) }

func (s restShape) parse(r *http.Request, path []string, body []byte) (request, *refusal) {
	is := func(pattern string) bool { return matches(r, path, pattern) }
	switch {
	case is("POST bids"):
		return s.parsePlace(body)
	case is("GET bids"):
		return s.parseList(r)
	case is("GET bids/*"):
		return request{verb: VerbGet, bidID: path[1]}, nil
	case is("POST bids/*/withdraw"):
		var in struct {
			Reason string `json:"reason"`
		}
		bad := decode(body, &in)
		return request{verb: VerbWithdraw, bidID: path[1], reason: in.Reason}, bad
	case is("GET me"):
		return request{verb: VerbMe}, nil
	}
	return noRoute(r)
}

func (restShape) parsePlace(body []byte) (request, *refusal) {
	var in struct {
		PostingID string `json:"posting_id"`
		Amount    any    `json:"amount"`
		Currency  string `json:"currency"`
		Days      int    `json:"days"`
		Text      string `json:"text"`
	}
	bad := decode(body, &in)
	req := request{
		verb: VerbPlace, posting: in.PostingID, offer: offer{currency: in.Currency, days: in.Days, text: in.Text},
	}
	if bad == nil {
		bad = checkPosting(in.PostingID)
	}
	if bad == nil {
		req.offer.amount, bad = checkAmount(in.Amount, false)
	}
	return req, bad
}

func (restShape) parseList(r *http.Request) (req request, bad *refusal) {
	q := r.URL.Query()
	req = request{verb: VerbList, posting: q.Get("posting_id")}
	if req.posting != "" {
		req.verb = VerbLookup
	}
	if req.states, bad = restWords().states(q.Get("state")); bad != nil {
		return req, bad
	}
	if req.page, bad = number(q, "page", 1); bad != nil {
		return req, bad
	}
	req.perPage, bad = number(q, "per_page", 0)
	return req, bad
}

// restWords calls every state by its own name.
func restWords() words {
	w := words{}
	for _, s := range States() {
		w[s] = string(s)
	}
	return w
}

type restBid struct {
	ID        string    `json:"id"`
	PostingID string    `json:"posting_id"`
	State     State     `json:"state"`
	Amount    string    `json:"amount"`
	Currency  string    `json:"currency"`
	Days      int       `json:"days"`
	URL       string    `json:"url"`
	ClientRef string    `json:"client_ref,omitempty"`
	PlacedAt  time.Time `json:"placed_at"`
}

func (restShape) bid(v view, b bid) restBid {
	return restBid{
		ID: b.ID, PostingID: b.Posting, State: b.State, Amount: b.Amount, Currency: b.Currency, Days: b.Days,
		URL: v.base + "/bids/" + b.ID, ClientRef: v.key(b), PlacedAt: b.PlacedAt,
	}
}

func (s restShape) success(v view, res result) wording {
	switch res.request.verb {
	case VerbMe:
		return wording{status: http.StatusOK, body: map[string]string{"id": res.account}}
	case VerbList, VerbLookup:
		page := struct {
			Items    []restBid `json:"items"`
			NextPage *int      `json:"next_page"`
		}{Items: []restBid{}}
		for _, b := range res.bids {
			page.Items = append(page.Items, s.bid(v, b))
		}
		if res.more {
			next := res.request.page + 1
			page.NextPage = &next
		}
		return wording{status: http.StatusOK, body: page}
	default:
		return wording{status: res.bidStatus(), body: s.bid(v, res.bid)}
	}
}

func (restShape) failure(f refusal) wording {
	return wording{status: f.status, body: map[string]any{"error": map[string]string{"code": f.code, "message": f.message}}}
}
