package marketsim

import (
	"encoding/json"
	"hash/fnv"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// freelancerShape imitates Freelancer.com: GET /api/users/0.1/self/, POST and GET /api/projects/0.1/bids/, GET and PUT
// /api/projects/0.1/bids/{id}/, GET /api/projects/0.1/projects/ and /api/projects/0.1/projects/{id}/. Lists are cut by limit
// (10 when it is missing, and 100 at the most) and offset, and hold ended bids too. A bid tells retracted and
// award_status; whether it can still be accepted its project tells. Errors are {"status":"error","message","error_code"}.
// Bids in words that the real site was seen to answer with 500 get one here.
type freelancerShape struct{ Freelancer }

const (
	freelancerPage        = 10
	freelancerMaxPage     = 100
	freelancerMinText     = 100
	freelancerBidsPath    = "api/projects/0.1/bids/"
	freelancerProjectPath = "api/projects/0.1/projects/"
)

// FreelancerID is the number by which a market of the shape freelancer knows an account: its name, where that is a number,
// else one that is made of it.
func FreelancerID(account string) string {
	if plainNumber.MatchString(account) {
		return account
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(account)) // never fails
	return strconv.FormatUint(sum.Sum64()>>15+1, 10)
}

// freelancerCodes are the site's words for ours. What it says of bids that cannot be retracted is not known, so that is
// one word for all of them here.
var freelancerCodes = map[string]string{
	codePostingClosed:    "ProjectExceptionCodes.PROJECT_NOT_ACTIVE",
	codeInvalidAmount:    "ProjectExceptionCodes.BID_AMOUNT_INVALID",
	codeNotFound:         "ProjectExceptionCodes.BID_NOT_FOUND",
	codeUnauthenticated:  "RestExceptionCodes.NOT_AUTHENTICATED",
	codeBadRequest:       "RestExceptionCodes.BAD_FORM",
	codeAwarded:          "ProjectExceptionCodes.CANNOT_RETRACT",
	codeAlreadyWithdrawn: "ProjectExceptionCodes.CANNOT_RETRACT",
	codeNotLive:          "ProjectExceptionCodes.CANNOT_RETRACT",
}

var freelancerAwards = words{
	StateAwardPending: "pending", StateWon: "awarded", StateLost: "revoked", StateRejected: "rejected",
}

func (freelancerShape) token(r *http.Request) string {
	if token := r.Header.Get("Freelancer-OAuth-V1"); token != "" {
		return token
	}
	return bearer(r)
}

func (s freelancerShape) parse(r *http.Request, path []string, body []byte) (request, *refusal) {
	is := func(pattern string) bool { return matches(r, path, pattern) }
	switch {
	case is("GET api/users/0.1/self/"):
		return request{verb: VerbMe}, nil
	case is("POST " + freelancerBidsPath):
		return s.parsePlace(body)
	case is("GET " + freelancerBidsPath):
		return s.parseList(r)
	case is("GET " + freelancerBidsPath + "*/"):
		return request{verb: VerbGet, bidID: path[4]}, nil
	case is("PUT " + freelancerBidsPath + "*/"):
		return s.parseRetract(r, path[4], body)
	case is("GET " + freelancerProjectPath):
		return request{verb: VerbProject, projects: r.URL.Query()["projects[]"]}, nil
	case is("GET " + freelancerProjectPath + "*/"):
		return request{verb: VerbProject, posting: path[4]}, nil
	}
	return noRoute(r)
}

func (s freelancerShape) parsePlace(body []byte) (request, *refusal) {
	var in struct {
		ProjectID   json.Number `json:"project_id"`
		BidderID    json.Number `json:"bidder_id"`
		Amount      any         `json:"amount"`
		Period      int         `json:"period"`
		Milestone   *int        `json:"milestone_percentage"`
		Description string      `json:"description"`
	}
	bad := decode(body, &in)
	req := request{
		verb: VerbPlace, posting: in.ProjectID.String(), bidder: in.BidderID.String(),
		offer: offer{currency: s.Currency, days: in.Period, text: in.Description},
	}
	switch {
	case bad != nil:
		return req, bad
	case utf8.RuneCountInString(in.Description) < freelancerMinText || !plainNumber.MatchString(req.posting):
		return req, &refusal{http.StatusInternalServerError, "", "an internal error occurred"}
	case req.bidder == "" || in.Period < 1 || in.Milestone == nil:
		return req, badRequest(codeBadRequest, "bidder_id, period and milestone_percentage must be given")
	}
	req.offer.amount, bad = checkAmount(in.Amount, true)
	return req, bad
}

func (s freelancerShape) parseList(r *http.Request) (req request, bad *refusal) {
	q := r.URL.Query()
	req = request{verb: VerbList, posting: q.Get("projects[]"), bidder: q.Get("bidders[]")}
	if req.posting != "" {
		req.verb = VerbLookup
	}
	if s.HideRetracted {
		req.states = slices.DeleteFunc(States(), func(state State) bool { return state == StateWithdrawn })
	}
	if req.perPage, bad = number(q, "limit", freelancerPage); bad != nil {
		return req, bad
	}
	req.perPage = min(req.perPage, freelancerMaxPage)
	if q.Get("offset") != "0" {
		req.offset, bad = number(q, "offset", 0)
	}
	return req, bad
}

// parseRetract takes the action out of a form or out of JSON.
func (s freelancerShape) parseRetract(r *http.Request, bidID string, body []byte) (request, *refusal) {
	req := request{verb: VerbWithdraw, bidID: bidID}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // an unknown one is no JSON
	var in struct {
		Action string `json:"action"`
	}
	if kind == "application/json" {
		if s.Retract == RetractForm {
			return req, badRequest(codeBadRequest, "the action must be given as a form")
		}
		if bad := decode(body, &in); bad != nil {
			return req, bad
		}
	} else {
		if s.Retract == RetractJSON {
			return req, badRequest(codeBadRequest, "the action must be given as JSON")
		}
		form, _ := url.ParseQuery(string(body)) // what cannot be read is no action
		in.Action = form.Get("action")
	}
	if in.Action != "retract" {
		return req, badRequest(codeBadRequest, "the action %q is not retract", in.Action)
	}
	return req, nil
}

func (freelancerShape) bid(b bid, account string) any {
	var award *string
	if word, ok := freelancerAwards[b.State]; ok {
		award = &word
	}
	return map[string]any{
		"id": numeric(b.ID), "project_id": numeric(b.Posting), "bidder_id": json.Number(FreelancerID(account)),
		"amount": json.Number(b.Amount), "period": b.Days, "retracted": b.State == StateWithdrawn, "award_status": award,
		"frontend_bid_status": "active", // of every bid: nobody should believe it
		"time_submitted":      b.PlacedAt.Unix(),
	}
}

// project is closed when the account's last bid on it lapsed. One that was closed by hand takes no more bids; those that
// are there can still be awarded.
func (s freelancerShape) project(p posting) any {
	status, sub := "active", any(nil)
	switch {
	case p.last == StateExpired:
		status, sub = "closed", "closed_expired"
	case p.closed:
		status, sub = "frozen", "frozen_timeout"
	}
	return map[string]any{
		"id": numeric(p.id), "status": status, "sub_status": sub, "currency": map[string]string{"code": s.Currency},
	}
}

func (s freelancerShape) success(_ view, res result) wording {
	body := map[string]any{"status": "success", "result": s.result(res), "request_id": "r"}
	return wording{status: http.StatusOK, body: body}
}

func (s freelancerShape) result(res result) any {
	switch res.request.verb {
	case VerbMe:
		return map[string]any{"id": json.Number(FreelancerID(res.account))}
	case VerbList, VerbLookup:
		bids := []any{}
		for _, b := range res.bids {
			bids = append(bids, s.bid(b, res.account))
		}
		return map[string]any{"bids": bids, "users": map[string]any{}, "projects": map[string]any{}}
	case VerbProject:
		projects := []any{}
		for _, p := range res.postings {
			projects = append(projects, s.project(p))
		}
		if res.request.posting != "" {
			return projects[0]
		}
		return map[string]any{"projects": projects}
	default:
		return s.bid(res.bid, res.account)
	}
}

func (s freelancerShape) failure(f refusal) wording {
	code, ok := freelancerCodes[f.code]
	if !ok && f.code != "" && !strings.Contains(f.code, ".") {
		code = "ProjectExceptionCodes." + f.code
	}
	if s.NestedErrors {
		inner := map[string]any{"code": code, "detail": f.message, "http_code": f.status}
		return wording{status: f.status, body: map[string]any{"status": "error", "error": inner, "request_id": "r"}}
	}
	body := map[string]any{"status": "error", "message": f.message, "error_code": code, "request_id": "r"}
	return wording{status: f.status, body: body}
}
