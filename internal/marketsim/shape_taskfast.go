package marketsim

import (
	"net/http"
	"strings"
)

// taskfastShape imitates TaskFast: POST /api/tasks/{id}/bids, GET /api/agents/me/bids, GET /api/bids/{id}, POST
// /api/bids/{id}/withdraw, GET /api/agents/me. Lists cannot be narrowed to a task and page by cursor (cursor,
// next_cursor); errors are {"error","message"}, the error being the code in lower case.
var taskfastShape = shape{
	token: func(r *http.Request) string {
		if key := r.Header.Get("X-API-Key"); key != "" {
			return key
		}
		return bearer(r)
	},
	routes: []route{
		{"POST api/tasks/{posting}/bids", VerbPlace, func(c *call) *refusal {
			var in struct {
				Price any    `json:"price"`
				Pitch string `json:"pitch"`
			}
			bad := decode(c.body, &in)
			return c.offers(bad, in.Price, true, offer{currency: "USD", text: in.Pitch})
		}},
		{"GET api/bids/{bid}", VerbGet, nil},
		{"POST api/bids/{bid}/withdraw", VerbWithdraw, readReason},
		{"GET api/agents/me/bids", VerbList, func(c *call) *refusal {
			bad := listing{status: "status", words: taskfastWords}.read(c)
			if cursor := c.req.URL.Query().Get("cursor"); bad == nil && cursor != "" {
				bad = c.after("cursor", cursor, cursor)
			}
			return bad
		}},
		{"GET api/agents/me", VerbMe, nil},
	},
	me: func(account string) any { return map[string]string{"id": account, "name": account} },
	bid: func(v view, b bid) any {
		return v.withKey("client_ref", b, map[string]any{
			"id": b.BidID, "task_id": b.Posting, "status": taskfastWords[b.State], "price": b.Amount, "currency": b.Currency,
			"pitch": b.Text, "created_at": b.Time,
		})
	},
	list: func(p page) any {
		var cursor any
		if p.more {
			cursor = cursorPrefix + p.bids[len(p.bids)-1].BidID
		}
		return map[string]any{"data": p.items, "next_cursor": cursor}
	},
	failure: func(f refusal) (int, any) {
		return f.status, map[string]string{"error": strings.ToLower(f.code), "message": f.message}
	},
}

var taskfastWords = words{
	StateLive: "pending", StateAwardPending: "offered", StateWon: "accepted", StateLost: "rejected",
	StateRejected: "rejected", StateWithdrawn: "withdrawn", StateExpired: "expired",
}
