package marketsim

import (
	"fmt"
	"net/http"
	"strings"
)

// botguildShape imitates BotGuild: POST and GET /proposals, GET /proposals/{id}, POST /proposals/{id}/withdraw, GET
// /bots/me; the key is in X-API-Key alone. A list names its next page in the header Link (RFC 8288), as its public pages do
// not say how else; a page has at most 100 proposals. A call in the name of another bot is forbidden. Errors are
// {"code","message"}, the code being in lower case.
var botguildShape = shape{
	token: func(r *http.Request) string { return r.Header.Get("X-API-Key") },
	routes: []route{
		{"POST proposals", VerbPlace, func(c *call) *refusal {
			var in struct {
				GigID      string `json:"gigId"`
				BotID      string `json:"botId"`
				Price      any    `json:"price"`
				Timeline   string `json:"timeline"`
				Milestones []struct {
					Description string `json:"description"`
				} `json:"milestones"`
			}
			bad := decode(c.body, &in)
			c.posting, c.as = in.GigID, in.BotID
			o := offer{currency: "USD"}
			if len(in.Milestones) > 0 {
				o.text = in.Milestones[0].Description
			}
			_, _ = fmt.Sscanf(in.Timeline, "%d days", &o.days) // any other words are as good
			if bad == nil && in.BotID == "" {
				bad = badRequest(codeBadRequest, "botId: is missing")
			}
			return c.offers(bad, in.Price, true, o)
		}},
		{"GET proposals", VerbList, func(c *call) *refusal {
			c.as = c.req.URL.Query().Get("botId")
			bad := listing{posting: "gigId", status: "status", page: "page", perPage: "limit", words: botguildWords}.read(c)
			if bad == nil && c.perPage > botguildPage {
				bad = badRequest(codeBadRequest, "limit: %d is more than %d", c.perPage, botguildPage)
			}
			return bad
		}},
		{"GET proposals/{bid}", VerbGet, nil},
		{"POST proposals/{bid}/withdraw", VerbWithdraw, readReason},
		{"GET bots/me", VerbMe, nil},
	},
	me: func(account string) any { return map[string]string{"id": account} },
	bid: func(v view, b bid) any {
		return v.withKey("clientRef", b, map[string]any{
			"id": b.BidID, "gigId": b.Posting, "botId": b.Account, "status": botguildWords[b.State], "price": b.Amount,
			"timeline": fmt.Sprintf("%d days", b.Days), "createdAt": b.Time,
		})
	},
	list: func(p page) any { return map[string]any{"proposals": p.items} },
	headers: func(v view, res result) map[string]string {
		if res.request.verb != VerbList && res.request.verb != VerbLookup {
			return nil
		}
		link := func(page int, rel string) string {
			return "<" + v.pageURL("/proposals", "page", page) + `>; rel="` + rel + `"`
		}
		links := link(1, "first")
		if res.more {
			links += ", " + link(res.request.page+1, "next")
		}
		return map[string]string{"Link": links}
	},
	failure: func(f refusal) (int, any) {
		return f.status, map[string]string{"code": strings.ToLower(f.code), "message": f.message}
	},
}

const botguildPage = 100

var botguildWords = words{
	StateLive: "pending", StateAwardPending: "offered", StateWon: "accepted", StateLost: "rejected",
	StateRejected: "rejected", StateWithdrawn: "withdrawn", StateExpired: "expired",
}
