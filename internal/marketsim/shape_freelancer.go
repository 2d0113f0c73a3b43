package marketsim

import (
	"cmp"
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

// freelancer is the site with what its sources disagree on.
type freelancer struct{ Freelancer }

// freelancerShape imitates Freelancer.com: GET /api/users/0.1/self/, POST and GET /api/projects/0.1/bids/, GET and PUT
// /api/projects/0.1/bids/{id}/, GET /api/projects/0.1/projects/ and /api/projects/0.1/projects/{id}/. Lists are cut by limit
// (10 when it is missing, and 100 at the most) and offset, and hold ended bids too. A bid shows retracted and
// award_status; its project shows whether it can still be accepted. Errors are {"status":"error","message","error_code"}.
// Bids in words that the real site was seen to answer with 500 get one here.
func freelancerShape(f Freelancer) *shape {
	s := freelancer{f}
	const bids, projects = "api/projects/0.1/bids/", "api/projects/0.1/projects/"
	return &shape{
		token: func(r *http.Request) string { return cmp.Or(r.Header.Get("Freelancer-OAuth-V1"), bearer(r)) },
		routes: []route{
			{"GET api/users/0.1/self/", VerbMe, nil},
			{"POST " + bids, VerbPlace, s.readPlace},
			{"GET " + bids, VerbList, s.readList},
			{"GET " + bids + "{bid}/", VerbGet, nil},
			{"PUT " + bids + "{bid}/", VerbWithdraw, s.readRetract},
			{"GET " + projects, VerbProject, func(c *call) *refusal {
				c.projects = c.req.URL.Query()["projects[]"]
				return nil
			}},
			{"GET " + projects + "{posting}/", VerbProject, nil},
		},
		me:  func(account string) any { return map[string]any{"id": json.Number(FreelancerID(account))} },
		bid: s.bid,
		list: func(p page) any {
			return map[string]any{"bids": p.items, "users": map[string]any{}, "projects": map[string]any{}}
		},
		other: s.projects,
		wrap: func(_ Verb, value any) any {
			return map[string]any{"status": "success", "result": value, "request_id": "r"}
		},
		alwaysOK: true,
		failure:  s.failure,
	}
}

const (
	freelancerPage    = 10
	freelancerMaxPage = 100
	freelancerMinText = 100
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

func (s freelancer) readPlace(c *call) *refusal {
	var in struct {
		ProjectID   json.Number `json:"project_id"`
		BidderID    json.Number `json:"bidder_id"`
		Amount      any         `json:"amount"`
		Period      int         `json:"period"`
		Milestone   *int        `json:"milestone_percentage"`
		Description string      `json:"description"`
	}
	bad := decode(c.body, &in)
	c.posting, c.bidder = in.ProjectID.String(), in.BidderID.String()
	switch {
	case bad != nil:
	case utf8.RuneCountInString(in.Description) < freelancerMinText || !plainNumber.MatchString(c.posting):
		bad = &refusal{http.StatusInternalServerError, "", "an internal error occurred"}
	case c.bidder == "" || in.Period < 1 || in.Milestone == nil:
		bad = badRequest(codeBadRequest, "bidder_id, period and milestone_percentage must be given")
	}
	return c.offers(bad, in.Amount, true, offer{currency: s.Currency, days: in.Period, text: in.Description})
}

func (s freelancer) readList(c *call) (bad *refusal) {
	q := c.req.URL.Query()
	c.narrow(q.Get("projects[]"))
	c.bidder = q.Get("bidders[]")
	if s.HideRetracted {
		c.states = slices.DeleteFunc(allStates(), func(state State) bool { return state == StateWithdrawn })
	}
	if c.perPage, bad = number(q, "limit", freelancerPage); bad != nil {
		return bad
	}
	c.perPage = min(c.perPage, freelancerMaxPage)
	if q.Get("offset") != "0" {
		c.offset, bad = number(q, "offset", 0)
	}
	return bad
}

// readRetract takes the action out of a form or out of JSON.
func (s freelancer) readRetract(c *call) *refusal {
	kind, _, _ := mime.ParseMediaType(c.req.Header.Get("Content-Type")) // an unknown one is no JSON
	encoding := RetractForm
	if kind == "application/json" {
		encoding = RetractJSON
	}
	if s.Retract != "" && s.Retract != encoding {
		return badRequest(codeBadRequest, "the action must be given as %s", s.Retract)
	}
	var in struct {
		Action string `json:"action"`
	}
	if encoding == RetractJSON {
		if bad := decode(c.body, &in); bad != nil {
			return bad
		}
	} else {
		form, _ := url.ParseQuery(string(c.body)) // what cannot be read is no action
		in.Action = form.Get("action")
	}
	if in.Action != "retract" {
		return badRequest(codeBadRequest, "the action %q is not retract", in.Action)
	}
	return nil
}

func (freelancer) bid(_ view, b bid) any {
	var award *string
	if word, ok := freelancerAwards[b.State]; ok {
		award = &word
	}
	return map[string]any{
		"id": numeric(b.BidID), "project_id": numeric(b.Posting), "bidder_id": json.Number(FreelancerID(b.Account)),
		"amount": json.Number(b.Amount), "period": b.Days, "retracted": b.State == StateWithdrawn, "award_status": award,
		"frontend_bid_status": "active", // the same for every bid, so it says nothing
		"time_submitted":      b.Time.Unix(),
	}
}

// project is closed when the account's last bid on it lapsed. One that was closed by hand takes no more bids; those that
// are there can still be awarded.
func (s freelancer) project(p posting) any {
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

// projects are those asked for in a list, or the one that the path names.
func (s freelancer) projects(res result) any {
	projects := []any{}
	for _, p := range res.postings {
		projects = append(projects, s.project(p))
	}
	if res.request.posting != "" {
		return projects[0]
	}
	return map[string]any{"projects": projects}
}

func (s freelancer) failure(f refusal) (int, any) {
	code, ok := freelancerCodes[f.code]
	if !ok && f.code != "" && !strings.Contains(f.code, ".") {
		code = "ProjectExceptionCodes." + f.code
	}
	body := map[string]any{"status": "error", "request_id": "r"}
	if s.NestedErrors {
		body["error"] = map[string]any{"code": code, "detail": f.message, "http_code": f.status}
	} else {
		body["message"], body["error_code"] = f.message, code
	}
	return f.status, body
}
