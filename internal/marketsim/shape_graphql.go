package marketsim

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// graphqlShape is a GraphQL API: POST /graphql with query, operationName and variables. It reads the name of the operation
// and the variables, and answers with every field there is: placeProposal(input), proposals(jobId, status, first, after),
// proposal(id), withdrawProposal(id, reason), viewer. Lists page by an opaque cursor (pageInfo.endCursor). Refusals have
// status 200 and {"data":null,"errors":[{"message","extensions":{"code"}}]}.
type graphqlShape struct{}

var graphqlWords = words{
	StateLive: "SUBMITTED", StateAwardPending: "OFFERED", StateWon: "HIRED", StateLost: "DECLINED",
	StateRejected: "REJECTED", StateWithdrawn: "WITHDRAWN", StateExpired: "EXPIRED",
}

// graphqlCall is the body of a request, with the variables of all operations.
type graphqlCall struct {
	Query         string `json:"query"`
	OperationName string `json:"operationName"`
	Variables     struct {
		Input struct {
			JobID  string `json:"jobId"`
			Amount struct {
				Value    any    `json:"value"`
				Currency string `json:"currency"`
			} `json:"amount"`
			Days int    `json:"days"`
			Text string `json:"text"`
		} `json:"input"`
		ID     string   `json:"id"`
		Reason string   `json:"reason"`
		JobID  string   `json:"jobId"`
		Status []string `json:"status"`
		First  int      `json:"first"`
		After  string   `json:"after"`
	} `json:"variables"`
}

func (graphqlShape) token(r *http.Request) string { return bearer(r) }

func (s graphqlShape) parse(r *http.Request, path []string, body []byte) (request, *refusal) {
	if !matches(r, path, "POST graphql") {
		return noRoute(r)
	}
	var in graphqlCall
	if bad := decode(body, &in); bad != nil {
		return request{verb: VerbOther}, bad
	}
	if !strings.Contains(in.Query, in.OperationName) {
		return request{verb: VerbOther}, badRequest(codeBadRequest, "the query has no operation %q", in.OperationName)
	}
	switch in.OperationName {
	case "placeProposal":
		return s.parsePlace(in)
	case "proposals":
		return s.parseList(in)
	case "proposal":
		return request{verb: VerbGet, bidID: in.Variables.ID}, nil
	case "withdrawProposal":
		return request{verb: VerbWithdraw, bidID: in.Variables.ID, reason: in.Variables.Reason}, nil
	case "viewer":
		return request{verb: VerbMe}, nil
	}
	return request{verb: VerbOther}, badRequest(codeBadRequest, "operationName: %q is unknown", in.OperationName)
}

func (graphqlShape) parsePlace(in graphqlCall) (request, *refusal) {
	input := in.Variables.Input
	req := request{
		verb: VerbPlace, posting: input.JobID, offer: offer{currency: input.Amount.Currency, days: input.Days, text: input.Text},
	}
	bad := checkPosting(input.JobID)
	if bad == nil {
		req.offer.amount, bad = checkAmount(input.Amount.Value, false)
	}
	return req, bad
}

func (graphqlShape) parseList(in graphqlCall) (request, *refusal) {
	req := request{verb: VerbList, posting: in.Variables.JobID, perPage: max(in.Variables.First, 0)}
	if req.posting != "" {
		req.verb = VerbLookup
	}
	for _, word := range in.Variables.Status {
		states, bad := graphqlWords.states(word)
		if bad != nil {
			return req, bad
		}
		req.states = append(req.states, states...)
	}
	if in.Variables.After == "" {
		return req, nil
	}
	raw, err := base64.StdEncoding.DecodeString(in.Variables.After)
	text, found := strings.CutPrefix(string(raw), cursorPrefix)
	n, wrong := strconv.Atoi(text)
	if err != nil || !found || wrong != nil {
		return req, badRequest(codeBadRequest, "after: %q is not an endCursor of this list", in.Variables.After)
	}
	req.cursor = n
	return req, nil
}

func graphqlCursor(b bid) string {
	return base64.StdEncoding.EncodeToString([]byte(cursorPrefix + b.ID))
}

func (graphqlShape) bid(v view, b bid) any {
	out := map[string]any{
		"id": b.ID, "job": map[string]string{"id": b.Posting}, "status": graphqlWords[b.State],
		"amount":      map[string]string{"value": b.Amount, "currency": b.Currency},
		"submittedAt": b.PlacedAt.Format(time.RFC3339), "url": v.base + "/proposals/" + b.ID,
	}
	if key := v.key(b); key != "" {
		out["clientRef"] = key
	}
	return out
}

func (s graphqlShape) success(v view, res result) wording {
	var field string
	var value any
	switch res.request.verb {
	case VerbMe:
		field, value = "viewer", map[string]string{"id": res.account}
	case VerbList, VerbLookup:
		nodes, info := []any{}, map[string]any{"hasNextPage": res.more, "endCursor": nil}
		for _, b := range res.bids {
			nodes = append(nodes, s.bid(v, b))
			info["endCursor"] = graphqlCursor(b)
		}
		field, value = "proposals", map[string]any{"nodes": nodes, "pageInfo": info}
	case VerbPlace:
		field, value = "placeProposal", map[string]any{"proposal": s.bid(v, res.bid)}
	case VerbWithdraw:
		field, value = "withdrawProposal", map[string]any{"proposal": s.bid(v, res.bid)}
	default:
		field, value = "proposal", s.bid(v, res.bid)
	}
	return wording{status: http.StatusOK, body: map[string]any{"data": map[string]any{field: value}}}
}

func (graphqlShape) failure(f refusal) wording {
	status := http.StatusOK
	if f.status >= http.StatusInternalServerError || f.code == codeNoSuchRoute {
		status = f.status
	}
	return wording{status: status, body: map[string]any{"data": nil, "errors": []any{
		map[string]any{"message": f.message, "extensions": map[string]string{"code": f.code}},
	}}}
}
