package marketsim

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// quaysideShape is the invented marketplace of docs/add-a-marketplace.md, unlike the others on purpose: POST /offers takes a
// form and cents, GET /offers lists by what follows an offer's number, GET and DELETE /offers/{no} read and withdraw, GET
// /me reads the account. An offer's state is spread over open, chosen and result. Errors are {"reason"}.
var quaysideShape = shape{
	routes: []route{
		{"POST offers", VerbPlace, readQuaysidePlace},
		{"GET offers", VerbList, func(c *call) (bad *refusal) {
			q := c.req.URL.Query()
			c.narrow(q.Get("job"))
			if q.Get("open") == "true" {
				c.states = []State{StateLive, StateAwardPending}
			}
			if q.Has("after") {
				c.cursor, bad = number(q, "after", 0)
			}
			return bad
		}},
		{"GET offers/{bid}", VerbGet, nil},
		{"DELETE offers/{bid}", VerbWithdraw, nil},
		{"GET me", VerbMe, nil},
	},
	me: func(account string) any { return map[string]string{"company": account} },
	bid: func(_ view, b bid) any {
		amount, _ := decimal.NewFromString(b.Amount) // readQuaysidePlace made it
		var result any
		if !b.State.Live() {
			result = quaysideResults[b.State]
		}
		return map[string]any{
			"no": b.number(), "job": b.Posting, "cents": amount.Shift(2).IntPart(), "currency": b.Currency,
			"open": b.State.Live(), "chosen": b.State == StateAwardPending, "result": result, "since": b.Time.Unix(),
		}
	},
	list: func(p page) any { return map[string]any{"offers": p.items, "more": p.more} },
	wrap: func(verb Verb, value any) any {
		if verb == VerbPlace || verb == VerbGet || verb == VerbWithdraw {
			return map[string]any{"offer": value}
		}
		return value
	},
	failure: func(f refusal) (int, any) { return f.status, map[string]string{"reason": strings.ToLower(f.code)} },
}

// quaysideResults are the words for offers that are not open any more.
var quaysideResults = words{
	StateLive: "open", StateAwardPending: "chosen", StateWon: "won", StateLost: "lost", StateRejected: "lost",
	StateWithdrawn: "withdrawn", StateExpired: "lapsed",
}

func readQuaysidePlace(c *call) *refusal {
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return badRequest(codeBadRequest, "the body is no form: %v", err)
	}
	c.posting, c.offer = form.Get("job"), offer{currency: form.Get("currency"), text: form.Get("note")}
	if bad := checkPosting(c.posting); bad != nil {
		return bad
	}
	cents, err := strconv.ParseInt(form.Get("cents"), 10, 64)
	if err != nil || cents < 1 {
		return badRequest(codeInvalidAmount, "cents: %q is not a number of cents above 0", form.Get("cents"))
	}
	c.offer.amount = decimal.New(cents, -2).String()
	if days := form.Get("days"); days != "" {
		if c.offer.days, err = strconv.Atoi(days); err != nil {
			return badRequest(codeBadRequest, "days: %q is not a number", days)
		}
	}
	return nil
}
