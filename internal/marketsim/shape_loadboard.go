package marketsim

import (
	"encoding/json"
	"net/http"
	"time"
)

// loadboardShape imitates a board for freight loads such as Walmart's: PUT /plans/{id}/bid with the status ACCEPTED places
// and with WITHDRAW withdraws, GET /plans/{id}/bid reads, GET /plans/{id} shows the plan with the carrier's bid, if there
// is one, and GET /carrier tells who asks. A bid has no ID but its plan's, and no call lists all. Errors are
// {"errors":[{"code","description"}]}.
type loadboardShape struct{}

var loadboardWords = words{
	StateLive: "ACCEPTED", StateAwardPending: "TENDERED", StateWon: "AWARDED", StateLost: "NOT_AWARDED",
	StateRejected: "REJECTED", StateWithdrawn: "WITHDRAWN", StateExpired: "EXPIRED",
}

func (loadboardShape) token(r *http.Request) string { return bearer(r) }

func (s loadboardShape) parse(r *http.Request, path []string, body []byte) (request, *refusal) {
	is := func(pattern string) bool { return matches(r, path, pattern) }
	switch {
	case is("PUT plans/*/bid"):
		return s.parsePut(path[1], body)
	case is("GET plans/*/bid"):
		return request{verb: VerbGet, posting: path[1], newest: true}, nil
	case is("GET plans/*"):
		return request{verb: VerbLookup, posting: path[1]}, nil
	case is("GET carrier"):
		return request{verb: VerbMe}, nil
	}
	return noRoute(r)
}

func (loadboardShape) parsePut(plan string, body []byte) (request, *refusal) {
	var in struct {
		Status   string `json:"status"`
		BidPrice struct {
			MeasurementValue any    `json:"measurementValue"`
			UnitOfMeasure    string `json:"unitOfMeasure"`
		} `json:"bidPrice"`
		Reason string `json:"reason"`
	}
	if bad := decode(body, &in); bad != nil {
		return request{verb: VerbPlace, posting: plan}, bad
	}
	switch in.Status {
	case "ACCEPTED":
		req := request{verb: VerbPlace, posting: plan, offer: offer{currency: in.BidPrice.UnitOfMeasure}}
		bad := checkPosting(plan)
		if bad == nil {
			req.offer.amount, bad = checkAmount(in.BidPrice.MeasurementValue, true)
		}
		return req, bad
	case "WITHDRAW":
		return request{verb: VerbWithdraw, posting: plan, newest: true, reason: in.Reason}, nil
	}
	return request{verb: VerbPlace, posting: plan}, badRequest(codeBadRequest, "status: %q is not ACCEPTED or WITHDRAW", in.Status)
}

func (loadboardShape) bid(v view, b bid) any {
	out := map[string]any{
		"planId": b.Posting, "carrierId": b.Account, "status": loadboardWords[b.State],
		"bidPrice":  map[string]any{"measurementValue": json.Number(b.Amount), "unitOfMeasure": b.Currency},
		"updatedAt": b.PlacedAt.Format(time.RFC3339),
	}
	if key := v.key(b); key != "" {
		out["clientRef"] = key
	}
	return out
}

func (s loadboardShape) success(v view, res result) wording {
	switch res.request.verb {
	case VerbMe:
		return wording{status: http.StatusOK, body: map[string]string{"carrierId": res.account}}
	case VerbLookup:
		plan := map[string]any{"planId": res.request.posting}
		if len(res.bids) > 0 {
			plan["bid"] = s.bid(v, res.bids[0]) // there is one at most
		}
		return wording{status: http.StatusOK, body: plan}
	default:
		return wording{status: http.StatusOK, body: s.bid(v, res.bid)}
	}
}

func (loadboardShape) failure(f refusal) wording {
	return wording{status: f.status, body: map[string]any{
		"errors": []map[string]string{{"code": f.code, "description": f.message}},
	}}
}
