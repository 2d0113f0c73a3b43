package marketsim

import (
	"encoding/json"
	"net/http"
	"regexp"
	"time"
)

// freelancehuntShape imitates Freelancehunt: POST /projects/{id}/bids, GET /my/bids, GET /my/bids/{bid}, POST
// /projects/{id}/bids/{bid}/revoke, GET /my/profile. Bodies are JSON:API-like; lists page by number and name the next
// page in links.next; errors are {"error":{"status","title","detail"}}, the title being the code. Bid IDs are numbers.
// Some states share a status, as a real marketplace tells less than it knows.
type freelancehuntShape struct{}

var freelancehuntWords = words{
	StateLive: "active", StateAwardPending: "awaiting_confirmation", StateWon: "winner", StateLost: "rejected",
	StateRejected: "rejected", StateWithdrawn: "revoked", StateExpired: "closed",
}

func (freelancehuntShape) token(r *http.Request) string { return bearer(r) }

func (s freelancehuntShape) parse(r *http.Request, path []string, body []byte) (request, *refusal) {
	is := func(pattern string) bool { return matches(r, path, pattern) }
	switch {
	case is("POST projects/*/bids"):
		return s.parsePlace(path[1], body)
	case is("POST projects/*/bids/*/revoke"):
		var why struct {
			Comment string `json:"comment"`
		}
		bad := decode(body, &why)
		return request{verb: VerbWithdraw, posting: path[1], bidID: path[3], reason: why.Comment}, bad
	case is("GET my/bids"):
		return s.parseList(r)
	case is("GET my/bids/*"):
		return request{verb: VerbGet, bidID: path[2]}, nil
	case is("GET my/profile"):
		return request{verb: VerbMe}, nil
	}
	return noRoute(r)
}

func (freelancehuntShape) parsePlace(posting string, body []byte) (request, *refusal) {
	var in struct {
		Days   int `json:"days"`
		Budget struct {
			Amount   any    `json:"amount"`
			Currency string `json:"currency"`
		} `json:"budget"`
		Comment string `json:"comment"`
	}
	bad := decode(body, &in)
	req := request{
		verb: VerbPlace, posting: posting,
		offer: offer{currency: in.Budget.Currency, days: in.Days, text: in.Comment},
	}
	if bad == nil {
		bad = checkPosting(posting)
	}
	if bad == nil {
		req.offer.amount, bad = checkAmount(in.Budget.Amount, true)
	}
	return req, bad
}

func (freelancehuntShape) parseList(r *http.Request) (req request, bad *refusal) {
	q := r.URL.Query()
	req = request{verb: VerbList, posting: q.Get("filter[project_id]")}
	if req.posting != "" {
		req.verb = VerbLookup
	}
	if req.states, bad = freelancehuntWords.states(q.Get("filter[status]")); bad != nil {
		return req, bad
	}
	req.page, bad = number(q, "page[number]", 1)
	return req, bad
}

var plainNumber = regexp.MustCompile(`^[1-9][0-9]{0,14}$`)

// numeric words an ID as a JSON number when that keeps its spelling, else as a string.
func numeric(id string) any {
	if plainNumber.MatchString(id) {
		return json.Number(id)
	}
	return id
}

func (freelancehuntShape) bid(v view, b bid) any {
	attributes := map[string]any{
		"status":       freelancehuntWords[b.State],
		"days":         b.Days,
		"budget":       map[string]any{"amount": json.Number(b.Amount), "currency": b.Currency},
		"comment":      b.Text,
		"project":      map[string]any{"id": numeric(b.Posting)},
		"published_at": b.PlacedAt.Format(time.RFC3339),
	}
	if key := v.key(b); key != "" {
		attributes["client_ref"] = key
	}
	return map[string]any{
		"id": numeric(b.ID), "type": "bid", "attributes": attributes,
		"links": map[string]string{"self": v.base + "/my/bids/" + b.ID},
	}
}

func (s freelancehuntShape) success(v view, res result) wording {
	switch res.request.verb {
	case VerbMe:
		return wording{status: http.StatusOK, body: map[string]any{"data": map[string]any{
			"id": numeric(res.account), "type": "freelancer", "attributes": map[string]string{"login": res.account},
		}}}
	case VerbList, VerbLookup:
		data, links := []any{}, map[string]string{"self": v.pageURL("/my/bids", "page[number]", res.request.page)}
		for _, b := range res.bids {
			data = append(data, s.bid(v, b))
		}
		if res.more {
			links["next"] = v.pageURL("/my/bids", "page[number]", res.request.page+1)
		}
		return wording{status: http.StatusOK, body: map[string]any{"data": data, "links": links}}
	default:
		return wording{status: res.bidStatus(), body: map[string]any{"data": s.bid(v, res.bid)}}
	}
}

func (freelancehuntShape) failure(f refusal) wording {
	return wording{status: f.status, body: map[string]any{
		"error": map[string]any{"status": f.status, "title": f.code, "detail": f.message},
	}}
}
