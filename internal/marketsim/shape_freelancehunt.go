package marketsim

import (
	"encoding/json"
	"time"
)

// freelancehuntShape imitates Freelancehunt: POST /projects/{id}/bids, GET /my/bids, GET /my/bids/{bid}, POST
// /projects/{id}/bids/{bid}/revoke, GET /my/profile. Bodies are JSON:API-like; lists page by number and name the next
// page in links.next; errors are {"error":{"status","title","detail"}}, the title being the code. Bid IDs are numbers.
// Some states share a status, as real marketplaces show less than they know.
var freelancehuntShape = shape{
	routes: []route{
		{"POST projects/{posting}/bids", VerbPlace, func(c *call) *refusal {
			var in struct {
				Days   int `json:"days"`
				Budget struct {
					Amount   any    `json:"amount"`
					Currency string `json:"currency"`
				} `json:"budget"`
				Comment string `json:"comment"`
			}
			bad := decode(c.body, &in)
			return c.offers(bad, in.Budget.Amount, true, offer{currency: in.Budget.Currency, days: in.Days, text: in.Comment})
		}},
		{"POST projects/{posting}/bids/{bid}/revoke", VerbWithdraw, readReason},
		{"GET my/bids", VerbList, listing{
			posting: "filter[project_id]", status: "filter[status]", page: "page[number]", words: freelancehuntWords,
		}.read},
		{"GET my/bids/{bid}", VerbGet, nil},
		{"GET my/profile", VerbMe, nil},
	},
	me: func(account string) any {
		return map[string]any{
			"id": numeric(account), "type": "freelancer", "attributes": map[string]string{"login": account},
		}
	},
	bid: func(v view, b bid) any {
		attributes := v.withKey("client_ref", b, map[string]any{
			"status": freelancehuntWords[b.State], "days": b.Days, "comment": b.Text,
			"budget":       map[string]any{"amount": json.Number(b.Amount), "currency": b.Currency},
			"project":      map[string]any{"id": numeric(b.Posting)},
			"published_at": b.Time.Format(time.RFC3339),
		})
		return map[string]any{
			"id": numeric(b.BidID), "type": "bid", "attributes": attributes,
			"links": map[string]string{"self": v.base + "/my/bids/" + b.BidID},
		}
	},
	list: func(p page) any {
		links := map[string]string{"self": p.pageURL("/my/bids", "page[number]", p.request.page)}
		if p.more {
			links["next"] = p.pageURL("/my/bids", "page[number]", p.request.page+1)
		}
		return map[string]any{"data": p.items, "links": links}
	},
	wrap: func(verb Verb, value any) any {
		if verb == VerbList || verb == VerbLookup {
			return value
		}
		return map[string]any{"data": value}
	},
	failure: func(f refusal) (int, any) {
		return f.status, map[string]any{"error": map[string]any{"status": f.status, "title": f.code, "detail": f.message}}
	},
}

var freelancehuntWords = words{
	StateLive: "active", StateAwardPending: "awaiting_confirmation", StateWon: "winner", StateLost: "rejected",
	StateRejected: "rejected", StateWithdrawn: "revoked", StateExpired: "closed",
}
