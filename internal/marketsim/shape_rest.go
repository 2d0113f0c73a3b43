package marketsim

// restShape is a plain JSON API: POST and GET /bids, GET /bids/{id}, POST /bids/{id}/withdraw, GET /me. Lists page by
// number (page, per_page, next_page); errors are {"error":{"code","message"}}.
var restShape = shape{
	routes: []route{
		{"POST bids", VerbPlace, func(c *call) *refusal {
			var in struct {
				PostingID string `json:"posting_id"`
				Amount    any    `json:"amount"`
				Currency  string `json:"currency"`
				Days      int    `json:"days"`
				Text      string `json:"text"`
			}
			bad := decode(c.body, &in)
			c.posting = in.PostingID
			return c.offers(bad, in.Amount, false, offer{currency: in.Currency, days: in.Days, text: in.Text})
		}},
		{"GET bids", VerbList, listing{
			posting: "posting_id", status: "state", page: "page", perPage: "per_page", words: restWords(),
		}.read},
		{"GET bids/{bid}", VerbGet, nil},
		{"POST bids/{bid}/withdraw", VerbWithdraw, readReason},
		{"GET me", VerbMe, nil},
	},
	me: func(account string) any { return map[string]string{"id": account} },
	bid: func(v view, b bid) any {
		return v.withKey("client_ref", b, map[string]any{
			"id": b.BidID, "posting_id": b.Posting, "state": b.State, "amount": b.Amount, "currency": b.Currency, "days": b.Days,
			"url": v.base + "/bids/" + b.BidID, "placed_at": b.Time,
		})
	},
	list: func(p page) any { return map[string]any{"items": p.items, "next_page": p.next(p.request.page + 1)} },
	failure: func(f refusal) (int, any) {
		return f.status, map[string]any{"error": map[string]string{"code": f.code, "message": f.message}}
	},
}

// restWords calls every state by its own name.
func restWords() words {
	w := words{}
	for _, s := range allStates() {
		w[s] = string(s)
	}
	return w
}
