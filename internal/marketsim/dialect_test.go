package marketsim

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// dialect makes the same calls in each shape, so that one test covers them all.
type dialect struct {
	place    func(b *bench, market, posting, key string) reply
	lookup   func(b *bench, market, posting string) reply
	get      func(b *bench, market, id string) reply
	withdraw func(b *bench, market, posting, id string) reply
	me       string
	item     []any // path to the bid in a reply of place, and of get and withdraw where got and gone say nothing else
	got      []any
	gone     []any
	list     []any // path to the bids in a reply of lookup; nil where it shows one
	one      []any // path to the first of them
	id       []any // from the bid
	posting  []any
	status   []any
	code     []any // from an error
	words    words
	alike    func(code string) string
	word     func(bid map[string]any) any // the state, where status does not hold it
	created  int                          // status of a new bid; 201 when 0
	refused  int                          // status of every refusal; 0 for the usual ones
	byPlan   bool                         // the bid's ID is its posting's
}

// wants fails the test unless the reply has the status, as the shape words it.
func (d dialect) wants(t *testing.T, r reply, status int) reply {
	t.Helper()
	switch {
	case status == http.StatusCreated && d.created != 0:
		status = d.created
	case status >= http.StatusBadRequest && d.refused != 0:
		status = d.refused
	}
	return r.want(t, status)
}

// ledgerID is the bid's ID in the ledger.
func (d dialect) ledgerID(b *bench, market, id string) string {
	if d.byPlan {
		return b.server.current().market(market).newest("alice", id)
	}
	return id
}

func esc(s string) string { return url.PathEscape(s) }

func dialects() map[Shape]dialect {
	same := func(code string) string { return code }
	return map[Shape]dialect{
		ShapeRest: {
			place: func(b *bench, m, p, key string) reply {
				return b.call("POST", "/"+m+"/bids", key, fmt.Sprintf(`{"posting_id":%q,"amount":"120.50","currency":"EUR"}`, p))
			},
			lookup: func(b *bench, m, p string) reply {
				return b.call("GET", "/"+m+"/bids?posting_id="+url.QueryEscape(p), "", "")
			},
			get: func(b *bench, m, id string) reply { return b.call("GET", "/"+m+"/bids/"+id, "", "") },
			withdraw: func(b *bench, m, _, id string) reply {
				return b.call("POST", "/"+m+"/bids/"+id+"/withdraw", "", `{"reason":"done"}`)
			},
			me: "/me", list: []any{"items"}, one: []any{"items", 0}, id: []any{"id"}, posting: []any{"posting_id"}, status: []any{"state"},
			code: []any{"error", "code"}, words: restWords(), alike: same,
		},
		ShapeFreelancehunt: {
			place: func(b *bench, m, p, key string) reply {
				return b.call("POST", "/"+m+"/projects/"+esc(p)+"/bids", key,
					`{"days":3,"budget":{"amount":120.50,"currency":"UAH"},"comment":"hello","safe_type":"employer"}`)
			},
			lookup: func(b *bench, m, p string) reply {
				return b.call("GET", "/"+m+"/my/bids?filter[project_id]="+url.QueryEscape(p), "", "")
			},
			get: func(b *bench, m, id string) reply { return b.call("GET", "/"+m+"/my/bids/"+id, "", "") },
			withdraw: func(b *bench, m, p, id string) reply {
				return b.call("POST", "/"+m+"/projects/"+esc(p)+"/bids/"+id+"/revoke", "", "")
			},
			me: "/my/profile", item: []any{"data"}, list: []any{"data"}, one: []any{"data", 0}, id: []any{"id"},
			posting: []any{"attributes", "project", "id"}, status: []any{"attributes", "status"},
			code: []any{"error", "title"}, words: freelancehuntWords, alike: same,
		},
		ShapeTaskfast: {
			place: func(b *bench, m, p, key string) reply {
				return b.call("POST", "/"+m+"/api/tasks/"+esc(p)+"/bids", key, `{"price":"120.50","pitch":"hello"}`)
			},
			lookup: func(b *bench, m, _ string) reply { return b.call("GET", "/"+m+"/api/agents/me/bids", "", "") },
			get:    func(b *bench, m, id string) reply { return b.call("GET", "/"+m+"/api/bids/"+id, "", "") },
			withdraw: func(b *bench, m, _, id string) reply {
				return b.call("POST", "/"+m+"/api/bids/"+id+"/withdraw", "", "")
			},
			me: "/api/agents/me", list: []any{"data"}, one: []any{"data", 0}, id: []any{"id"}, posting: []any{"task_id"}, status: []any{"status"},
			code: []any{"error"}, words: taskfastWords,
			alike: strings.ToLower,
		},
		ShapeBotguild: {
			place: func(b *bench, m, p, key string) reply {
				return b.call("POST", "/"+m+"/proposals", key,
					fmt.Sprintf(`{"gigId":%q,"botId":"alice","price":120.50,"timeline":"3 days","milestones":[{"description":"hello"}]}`, p))
			},
			lookup: func(b *bench, m, p string) reply {
				return b.call("GET", "/"+m+"/proposals?botId=alice&gigId="+url.QueryEscape(p), "", "")
			},
			get: func(b *bench, m, id string) reply { return b.call("GET", "/"+m+"/proposals/"+id, "", "") },
			withdraw: func(b *bench, m, _, id string) reply {
				return b.call("POST", "/"+m+"/proposals/"+id+"/withdraw", "", "")
			},
			me: "/bots/me", list: []any{"proposals"}, one: []any{"proposals", 0}, id: []any{"id"}, posting: []any{"gigId"},
			status: []any{"status"}, code: []any{"code"}, words: botguildWords, alike: strings.ToLower,
		},
		ShapeLoadboard: {
			place: func(b *bench, m, p, key string) reply {
				return b.call("PUT", "/"+m+"/plans/"+esc(p)+"/bid", key,
					`{"status":"ACCEPTED","bidPrice":{"measurementValue":120.50,"unitOfMeasure":"USD"}}`)
			},
			lookup: func(b *bench, m, p string) reply { return b.call("GET", "/"+m+"/plans/"+esc(p), "", "") },
			get:    func(b *bench, m, id string) reply { return b.call("GET", "/"+m+"/plans/"+esc(id)+"/bid", "", "") },
			withdraw: func(b *bench, m, _, id string) reply {
				return b.call("PUT", "/"+m+"/plans/"+esc(id)+"/bid", "", `{"status":"WITHDRAW"}`)
			},
			me: "/carrier", one: []any{"bid"}, id: []any{"planId"}, posting: []any{"planId"}, status: []any{"status"},
			code: []any{"errors", 0, "code"}, words: loadboardWords, alike: same, created: 200, byPlan: true,
		},
		ShapeGraphQL:  graphqlDialect(same),
		ShapeQuayside: quaysideDialect(),
	}
}

func graphqlDialect(same func(string) string) dialect {
	call := func(b *bench, m, operation, variables string) reply {
		return b.call("POST", "/"+m+"/graphql", "",
			`{"query":"query `+operation+` {…}","operationName":"`+operation+`","variables":`+variables+`}`)
	}
	bid := func(field string) []any { return []any{"data", field, "proposal"} }
	return dialect{
		place: func(b *bench, m, p, _ string) reply {
			return call(b, m, "placeProposal", fmt.Sprintf(`{"input":{"jobId":%q,"amount":{"value":"120.50","currency":"EUR"}}}`, p))
		},
		lookup: func(b *bench, m, p string) reply { return call(b, m, "proposals", fmt.Sprintf(`{"jobId":%q}`, p)) },
		get:    func(b *bench, m, id string) reply { return call(b, m, "proposal", fmt.Sprintf(`{"id":%q}`, id)) },
		withdraw: func(b *bench, m, _, id string) reply {
			return call(b, m, "withdrawProposal", fmt.Sprintf(`{"id":%q}`, id))
		},
		item: bid("placeProposal"), got: []any{"data", "proposal"}, gone: bid("withdrawProposal"),
		list: []any{"data", "proposals", "nodes"}, one: []any{"data", "proposals", "nodes", 0}, id: []any{"id"},
		posting: []any{"job", "id"}, status: []any{"status"}, code: []any{"errors", 0, "extensions", "code"},
		words: graphqlWords, alike: same, created: 200, refused: 200,
	}
}

func quaysideDialect() dialect {
	offer := []any{"offer"}
	return dialect{
		place: func(b *bench, m, p, key string) reply {
			form := url.Values{"job": {p}, "cents": {"12050"}, "currency": {"EUR"}, "days": {"3"}, "note": {"hello"}}
			return b.call("POST", "/"+m+"/offers", key, form.Encode())
		},
		lookup: func(b *bench, m, p string) reply {
			return b.call("GET", "/"+m+"/offers?job="+url.QueryEscape(p), "", "")
		},
		get:      func(b *bench, m, id string) reply { return b.call("GET", "/"+m+"/offers/"+id, "", "") },
		withdraw: func(b *bench, m, _, id string) reply { return b.call("DELETE", "/"+m+"/offers/"+id, "", "") },
		me:       "/me", item: offer, list: []any{"offers"}, one: []any{"offers", 0}, id: []any{"no"}, posting: []any{"job"},
		word: quaysideWord, code: []any{"reason"}, words: quaysideResults, alike: strings.ToLower,
	}
}

func quaysideWord(bid map[string]any) any {
	switch {
	case bid["chosen"].(bool):
		return "chosen"
	case bid["open"].(bool):
		return "open"
	}
	return bid["result"]
}

// wordOf is the state of the bid at the path.
func (d dialect) wordOf(t *testing.T, r reply, item []any) any {
	t.Helper()
	if d.word != nil {
		return d.word(r.at(t, item...).(map[string]any))
	}
	return r.at(t, join(item, d.status)...)
}

// asNobody makes a call without credentials, which is refused.
func (d dialect) asNobody(b *bench) reply {
	if d.me == "" {
		return d.wants(b.t, b.callAs("", "POST", "/m/graphql", "", `{"query":"viewer","operationName":"viewer"}`), http.StatusUnauthorized)
	}
	return d.wants(b.t, b.callAs("", "GET", "/m"+d.me, "", ""), http.StatusUnauthorized)
}

// itemOf is the path to the bid in a reply of get and of withdraw.
func (d dialect) itemOf(withdraw bool) []any {
	switch {
	case withdraw && d.gone != nil:
		return d.gone
	case !withdraw && d.got != nil:
		return d.got
	}
	return d.item
}

// bidID is the ID of the bid in a reply of place, get or withdraw.
func (d dialect) bidID(t *testing.T, r reply) string {
	t.Helper()
	return fmt.Sprint(r.at(t, join(d.item, d.id)...))
}

func join(parts ...[]any) []any {
	var out []any
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// count is how many bids a reply of lookup shows.
func (d dialect) count(t *testing.T, r reply) int {
	t.Helper()
	if d.list != nil {
		return len(r.at(t, d.list...).([]any))
	}
	if r.at(t, d.one...) == nil {
		return 0
	}
	return 1
}
