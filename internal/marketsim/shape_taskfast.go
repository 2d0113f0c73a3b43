package marketsim

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// taskfastShape imitates TaskFast: POST /api/tasks/{id}/bids, GET /api/agents/me/bids, GET /api/bids/{id}, POST
// /api/bids/{id}/withdraw, GET /api/agents/me. Lists cannot be narrowed to a task and page by cursor (cursor,
// next_cursor); errors are {"error","message"}, the error being the code in lower case.
type taskfastShape struct{}

var taskfastWords = words{
	StateLive: "pending", StateAwardPending: "offered", StateWon: "accepted", StateLost: "rejected",
	StateRejected: "rejected", StateWithdrawn: "withdrawn", StateExpired: "expired",
}

func (taskfastShape) token(r *http.Request) string {
	if key := r.Header.Get("X-API-Key"); key != "" {
		return key
	}
	return bearer(r)
}

func (s taskfastShape) parse(r *http.Request, path []string, body []byte) (request, *refusal) {
	is := func(pattern string) bool { return matches(r, path, pattern) }
	switch {
	case is("POST api/tasks/*/bids"):
		return s.parsePlace(path[2], body)
	case is("GET api/bids/*"):
		return request{verb: VerbGet, bidID: path[2]}, nil
	case is("POST api/bids/*/withdraw"):
		var in struct {
			Reason string `json:"reason"`
		}
		bad := decode(body, &in)
		return request{verb: VerbWithdraw, bidID: path[2], reason: in.Reason}, bad
	case is("GET api/agents/me/bids"):
		return s.parseList(r)
	case is("GET api/agents/me"):
		return request{verb: VerbMe}, nil
	}
	return noRoute(r)
}

func (taskfastShape) parsePlace(posting string, body []byte) (request, *refusal) {
	var in struct {
		Price any    `json:"price"`
		Pitch string `json:"pitch"`
	}
	bad := decode(body, &in)
	req := request{verb: VerbPlace, posting: posting, offer: offer{currency: "USD", text: in.Pitch}}
	if bad == nil {
		bad = checkPosting(posting)
	}
	if bad == nil {
		req.offer.amount, bad = checkAmount(in.Price, true)
	}
	return req, bad
}

const cursorPrefix = "after-"

func (taskfastShape) parseList(r *http.Request) (req request, bad *refusal) {
	q := r.URL.Query()
	req = request{verb: VerbList}
	if req.states, bad = taskfastWords.states(q.Get("status")); bad != nil {
		return req, bad
	}
	cursor := q.Get("cursor")
	if cursor == "" {
		return req, nil
	}
	n, err := strconv.Atoi(strings.TrimPrefix(cursor, cursorPrefix))
	if err != nil || !strings.HasPrefix(cursor, cursorPrefix) {
		return req, badRequest(codeBadRequest, "cursor: %q is not a next_cursor of this list", cursor)
	}
	req.cursor = n
	return req, nil
}

type taskfastBid struct {
	ID        string    `json:"id"`
	TaskID    string    `json:"task_id"`
	Status    string    `json:"status"`
	Price     string    `json:"price"`
	Currency  string    `json:"currency"`
	Pitch     string    `json:"pitch"`
	ClientRef string    `json:"client_ref,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

func (taskfastShape) bid(v view, b bid) taskfastBid {
	return taskfastBid{
		ID: b.ID, TaskID: b.Posting, Status: taskfastWords[b.State], Price: b.Amount, Currency: b.Currency,
		Pitch: b.Text, ClientRef: v.key(b), CreatedAt: b.PlacedAt,
	}
}

func (s taskfastShape) success(v view, res result) wording {
	switch res.request.verb {
	case VerbMe:
		return wording{status: http.StatusOK, body: map[string]string{"id": res.account, "name": res.account}}
	case VerbList, VerbLookup:
		page := struct {
			Data       []taskfastBid `json:"data"`
			NextCursor *string       `json:"next_cursor"`
		}{Data: []taskfastBid{}}
		for _, b := range res.bids {
			page.Data = append(page.Data, s.bid(v, b))
		}
		if res.more {
			next := cursorPrefix + res.bids[len(res.bids)-1].ID
			page.NextCursor = &next
		}
		return wording{status: http.StatusOK, body: page}
	default:
		return wording{status: res.bidStatus(), body: s.bid(v, res.bid)}
	}
}

func (taskfastShape) failure(f refusal) wording {
	return wording{status: f.status, body: map[string]string{"error": strings.ToLower(f.code), "message": f.message}}
}
