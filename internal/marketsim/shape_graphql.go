package marketsim

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// graphqlShape is a GraphQL API: POST /graphql with query, operationName and variables. It reads the name of the operation
// and the variables, and answers with every field there is: placeProposal(input), proposals(jobId, status, first, after),
// proposal(id), withdrawProposal(id, reason), viewer. Lists page by an opaque cursor (pageInfo.endCursor). Refusals have
// status 200 and {"data":null,"errors":[{"message","extensions":{"code"}}]}.
var graphqlShape = shape{
	routes: []route{{"POST graphql", VerbOther, readGraphQL}},
	me:     func(account string) any { return map[string]string{"id": account} },
	bid: func(v view, b bid) any {
		return v.withKey("clientRef", b, map[string]any{
			"id": b.BidID, "job": map[string]string{"id": b.Posting}, "status": graphqlWords[b.State],
			"amount":      map[string]string{"value": b.Amount, "currency": b.Currency},
			"submittedAt": b.Time.Format(time.RFC3339), "url": v.base + "/proposals/" + b.BidID,
		})
	},
	list: func(p page) any {
		var cursor any
		if len(p.bids) > 0 {
			cursor = base64.StdEncoding.EncodeToString([]byte(cursorPrefix + p.bids[len(p.bids)-1].BidID))
		}
		return map[string]any{"nodes": p.items, "pageInfo": map[string]any{"hasNextPage": p.more, "endCursor": cursor}}
	},
	wrap: func(verb Verb, value any) any {
		if verb == VerbPlace || verb == VerbWithdraw {
			value = map[string]any{"proposal": value}
		}
		return map[string]any{"data": map[string]any{graphqlFields[verb]: value}}
	},
	alwaysOK: true,
	failure: func(f refusal) (int, any) {
		status := http.StatusOK
		if f.status >= http.StatusInternalServerError || f.code == codeNoSuchRoute {
			status = f.status
		}
		return status, map[string]any{"data": nil, "errors": []any{
			map[string]any{"message": f.message, "extensions": map[string]string{"code": f.code}},
		}}
	},
}

var graphqlWords = words{
	StateLive: "SUBMITTED", StateAwardPending: "OFFERED", StateWon: "HIRED", StateLost: "DECLINED",
	StateRejected: "REJECTED", StateWithdrawn: "WITHDRAWN", StateExpired: "EXPIRED",
}

// graphqlFields name the operation, and the field of its result.
var graphqlFields = map[Verb]string{
	VerbMe: "viewer", VerbPlace: "placeProposal", VerbGet: "proposal", VerbWithdraw: "withdrawProposal",
	VerbList: "proposals", VerbLookup: "proposals",
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

func readGraphQL(c *call) *refusal {
	var in graphqlCall
	if bad := decode(c.body, &in); bad != nil {
		return bad
	}
	if !strings.Contains(in.Query, in.OperationName) {
		return badRequest(codeBadRequest, "the query has no operation %q", in.OperationName)
	}
	switch v := in.Variables; in.OperationName {
	case "placeProposal":
		c.verb, c.posting = VerbPlace, v.Input.JobID
		return c.offers(nil, v.Input.Amount.Value, false, offer{
			currency: v.Input.Amount.Currency, days: v.Input.Days, text: v.Input.Text,
		})
	case "proposals":
		return readGraphQLList(c, in)
	case "proposal":
		c.verb, c.bidID = VerbGet, v.ID
	case "withdrawProposal":
		c.verb, c.bidID, c.reason = VerbWithdraw, v.ID, v.Reason
	case "viewer":
		c.verb = VerbMe
	default:
		return badRequest(codeBadRequest, "operationName: %q is unknown", in.OperationName)
	}
	return nil
}

func readGraphQLList(c *call, in graphqlCall) *refusal {
	c.verb, c.perPage = VerbList, max(in.Variables.First, 0)
	c.narrow(in.Variables.JobID)
	for _, word := range in.Variables.Status {
		states, bad := graphqlWords.states(word)
		if bad != nil {
			return bad
		}
		c.states = append(c.states, states...)
	}
	if in.Variables.After == "" {
		return nil
	}
	cursor, _ := base64.StdEncoding.DecodeString(in.Variables.After) // what is no cursor lacks the prefix
	return c.after("after", in.Variables.After, string(cursor))
}
