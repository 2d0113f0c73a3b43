package marketsim

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// botguildShape imitates BotGuild: POST and GET /proposals, GET /proposals/{id}, POST /proposals/{id}/withdraw, GET
// /bots/me; the key is in X-API-Key alone. A list names its next page in the header Link (RFC 8288), as its public pages do
// not say how else; a page has at most 100 proposals. A call in the name of another bot is forbidden. Errors are
// {"code","message"}, the code being in lower case.
type botguildShape struct{}

const botguildPage = 100

var botguildWords = words{
	StateLive: "pending", StateAwardPending: "offered", StateWon: "accepted", StateLost: "rejected",
	StateRejected: "rejected", StateWithdrawn: "withdrawn", StateExpired: "expired",
}

func (botguildShape) token(r *http.Request) string { return r.Header.Get("X-API-Key") }

func (s botguildShape) parse(r *http.Request, path []string, body []byte) (request, *refusal) {
	is := func(pattern string) bool { return matches(r, path, pattern) }
	switch {
	case is("POST proposals"):
		return s.parsePlace(body)
	case is("GET proposals"):
		return s.parseList(r)
	case is("GET proposals/*"):
		return request{verb: VerbGet, bidID: path[1]}, nil
	case is("POST proposals/*/withdraw"):
		var in struct {
			Reason string `json:"reason"`
		}
		bad := decode(body, &in)
		return request{verb: VerbWithdraw, bidID: path[1], reason: in.Reason}, bad
	case is("GET bots/me"):
		return request{verb: VerbMe}, nil
	}
	return noRoute(r)
}

func (botguildShape) parsePlace(body []byte) (request, *refusal) {
	var in struct {
		GigID      string `json:"gigId"`
		BotID      string `json:"botId"`
		Price      any    `json:"price"`
		Timeline   string `json:"timeline"`
		Milestones []struct {
			Description string `json:"description"`
		} `json:"milestones"`
	}
	bad := decode(body, &in)
	req := request{verb: VerbPlace, posting: in.GigID, as: in.BotID, offer: offer{currency: "USD"}}
	if len(in.Milestones) > 0 {
		req.offer.text = in.Milestones[0].Description
	}
	_, _ = fmt.Sscanf(in.Timeline, "%d days", &req.offer.days) // any other words are as good
	if bad == nil {
		bad = checkPosting(in.GigID)
	}
	if bad == nil && in.BotID == "" {
		bad = badRequest(codeBadRequest, "botId: is missing")
	}
	if bad == nil {
		req.offer.amount, bad = checkAmount(in.Price, true)
	}
	return req, bad
}

func (botguildShape) parseList(r *http.Request) (req request, bad *refusal) {
	q := r.URL.Query()
	req = request{verb: VerbList, posting: q.Get("gigId"), as: q.Get("botId")}
	if req.posting != "" {
		req.verb = VerbLookup
	}
	if req.states, bad = botguildWords.states(q.Get("status")); bad != nil {
		return req, bad
	}
	if req.page, bad = number(q, "page", 1); bad != nil {
		return req, bad
	}
	if req.perPage, bad = number(q, "limit", 0); bad == nil && req.perPage > botguildPage {
		bad = badRequest(codeBadRequest, "limit: %d is more than %d", req.perPage, botguildPage)
	}
	return req, bad
}

type botguildBid struct {
	ID        string    `json:"id"`
	GigID     string    `json:"gigId"`
	BotID     string    `json:"botId"`
	Status    string    `json:"status"`
	Price     string    `json:"price"`
	Timeline  string    `json:"timeline"`
	ClientRef string    `json:"clientRef,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
}

func (botguildShape) bid(v view, b bid) botguildBid {
	return botguildBid{
		ID: b.ID, GigID: b.Posting, BotID: b.Account, Status: botguildWords[b.State], Price: b.Amount,
		Timeline: fmt.Sprintf("%d days", b.Days), ClientRef: v.key(b), CreatedAt: b.PlacedAt,
	}
}

func (s botguildShape) success(v view, res result) wording {
	switch res.request.verb {
	case VerbMe:
		return wording{status: http.StatusOK, body: map[string]string{"id": res.account}}
	case VerbList, VerbLookup:
		page := []botguildBid{}
		for _, b := range res.bids {
			page = append(page, s.bid(v, b))
		}
		link := func(page int, rel string) string {
			return "<" + v.pageURL("/proposals", "page", page) + `>; rel="` + rel + `"`
		}
		links := []string{link(1, "first")}
		if res.more {
			links = append(links, link(res.request.page+1, "next"))
		}
		header := map[string]string{"Link": strings.Join(links, ", ")}
		return wording{http.StatusOK, header, map[string]any{"proposals": page}}
	default:
		return wording{status: res.bidStatus(), body: s.bid(v, res.bid)}
	}
}

func (botguildShape) failure(f refusal) wording {
	return wording{status: f.status, body: map[string]string{"code": strings.ToLower(f.code), "message": f.message}}
}
