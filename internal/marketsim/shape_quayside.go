package marketsim

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// quaysideShape is the invented marketplace of docs/add-a-marketplace.md, unlike the others on purpose: POST /offers takes a
// form and cents, GET /offers lists by what follows an offer's number, GET and DELETE /offers/{no} read and withdraw, GET
// /me tells who asks. An offer's state is spread over open, chosen and result. Errors are {"reason"}.
type quaysideShape struct{}

// quaysideResults are the words for offers that are not open any more.
var quaysideResults = words{
	StateLive: "open", StateAwardPending: "chosen", StateWon: "won", StateLost: "lost", StateRejected: "lost",
	StateWithdrawn: "withdrawn", StateExpired: "lapsed",
}

func (quaysideShape) token(r *http.Request) string { return bearer(r) }

func (s quaysideShape) parse(r *http.Request, path []string, body []byte) (request, *refusal) {
	is := func(pattern string) bool { return matches(r, path, pattern) }
	switch {
	case is("POST offers"):
		return s.parsePlace(body)
	case is("GET offers"):
		return s.parseList(r)
	case is("GET offers/*"):
		return request{verb: VerbGet, bidID: path[1]}, nil
	case is("DELETE offers/*"):
		return request{verb: VerbWithdraw, bidID: path[1]}, nil
	case is("GET me"):
		return request{verb: VerbMe}, nil
	}
	return noRoute(r)
}

func (quaysideShape) parsePlace(body []byte) (request, *refusal) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return request{verb: VerbPlace}, badRequest(codeBadRequest, "the body is no form: %v", err)
	}
	req := request{verb: VerbPlace, posting: form.Get("job"), offer: offer{currency: form.Get("currency"), text: form.Get("note")}}
	if bad := checkPosting(req.posting); bad != nil {
		return req, bad
	}
	cents, err := strconv.ParseInt(form.Get("cents"), 10, 64)
	if err != nil || cents < 1 {
		return req, badRequest(codeInvalidAmount, "cents: %q is not a number of cents above 0", form.Get("cents"))
	}
	req.offer.amount = decimal.New(cents, -2).String()
	if days := form.Get("days"); days != "" {
		if req.offer.days, err = strconv.Atoi(days); err != nil {
			return req, badRequest(codeBadRequest, "days: %q is not a number", days)
		}
	}
	return req, nil
}

func (quaysideShape) parseList(r *http.Request) (req request, bad *refusal) {
	q := r.URL.Query()
	req = request{verb: VerbList, posting: q.Get("job")}
	if req.posting != "" {
		req.verb = VerbLookup
	}
	if q.Get("open") == "true" {
		req.states = []State{StateLive, StateAwardPending}
	}
	if q.Has("after") {
		req.cursor, bad = number(q, "after", 0)
	}
	return req, bad
}

type quaysideBid struct {
	No       int64   `json:"no"`
	Job      string  `json:"job"`
	Cents    int64   `json:"cents"`
	Currency string  `json:"currency"`
	Open     bool    `json:"open"`
	Chosen   bool    `json:"chosen"`
	Result   *string `json:"result"`
	Since    int64   `json:"since"`
}

func (quaysideShape) bid(b bid) quaysideBid {
	amount, _ := decimal.NewFromString(b.Amount) // parsePlace made it
	out := quaysideBid{
		No: int64(b.number()), Job: b.Posting, Cents: amount.Shift(2).IntPart(), Currency: b.Currency,
		Open: b.State.Live(), Chosen: b.State == StateAwardPending, Since: b.PlacedAt.Unix(),
	}
	if !out.Open {
		result := quaysideResults[b.State]
		out.Result = &result
	}
	return out
}

func (s quaysideShape) success(_ view, res result) wording {
	switch res.request.verb {
	case VerbMe:
		return wording{status: http.StatusOK, body: map[string]string{"company": res.account}}
	case VerbList, VerbLookup:
		offers := []quaysideBid{}
		for _, b := range res.bids {
			offers = append(offers, s.bid(b))
		}
		return wording{status: http.StatusOK, body: map[string]any{"offers": offers, "more": res.more}}
	default:
		return wording{status: res.bidStatus(), body: map[string]any{"offer": s.bid(res.bid)}}
	}
}

func (quaysideShape) failure(f refusal) wording {
	return wording{status: f.status, body: map[string]string{"reason": strings.ToLower(f.code)}}
}
