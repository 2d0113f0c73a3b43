package marketsim

import (
	"encoding/json"
	"time"
)

// loadboardShape imitates a board for freight loads such as Walmart's: PUT /plans/{id}/bid with the status ACCEPTED places
// and with WITHDRAW withdraws, GET /plans/{id}/bid reads, GET /plans/{id} shows the plan with the carrier's bid, if there
// is one, and GET /carrier reads the account. A bid has no ID but its plan's, and no call lists all. Errors are
// {"errors":[{"code","description"}]}.
var loadboardShape = shape{
	routes: []route{
		{"PUT plans/{posting}/bid", VerbPlace, func(c *call) *refusal {
			var in struct {
				Status   string `json:"status"`
				BidPrice struct {
					MeasurementValue any    `json:"measurementValue"`
					UnitOfMeasure    string `json:"unitOfMeasure"`
				} `json:"bidPrice"`
				Reason string `json:"reason"`
			}
			bad := decode(c.body, &in)
			switch {
			case bad != nil:
				return bad
			case in.Status == "WITHDRAW":
				c.verb, c.newest, c.reason = VerbWithdraw, true, in.Reason
				return nil
			case in.Status != "ACCEPTED":
				return badRequest(codeBadRequest, "status: %q is not ACCEPTED or WITHDRAW", in.Status)
			}
			return c.offers(nil, in.BidPrice.MeasurementValue, true, offer{currency: in.BidPrice.UnitOfMeasure})
		}},
		{"GET plans/{posting}/bid", VerbGet, func(c *call) *refusal {
			c.newest = true
			return nil
		}},
		{"GET plans/{posting}", VerbLookup, nil},
		{"GET carrier", VerbMe, nil},
	},
	me: func(account string) any { return map[string]string{"carrierId": account} },
	bid: func(v view, b bid) any {
		return v.withKey("clientRef", b, map[string]any{
			"planId": b.Posting, "carrierId": b.Account, "status": loadboardWords[b.State],
			"bidPrice":  map[string]any{"measurementValue": json.Number(b.Amount), "unitOfMeasure": b.Currency},
			"updatedAt": b.Time.Format(time.RFC3339),
		})
	},
	list: func(p page) any {
		plan := map[string]any{"planId": p.request.posting}
		if len(p.items) > 0 {
			plan["bid"] = p.items[0] // there is one at most
		}
		return plan
	},
	alwaysOK: true,
	failure: func(f refusal) (int, any) {
		return f.status, map[string]any{"errors": []map[string]string{{"code": f.code, "description": f.message}}}
	},
}

var loadboardWords = words{
	StateLive: "ACCEPTED", StateAwardPending: "TENDERED", StateWon: "AWARDED", StateLost: "NOT_AWARDED",
	StateRejected: "REJECTED", StateWithdrawn: "WITHDRAWN", StateExpired: "EXPIRED",
}
