package marketsim

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// shape is the dialect of a market's API: it reads calls and writes replies, and knows nothing of what they do.
type shape struct {
	// token returns the token of a call, empty when there is none. Default: the bearer token.
	token  func(r *http.Request) string
	routes []route
	// me returns the account in a reply.
	me func(account string) any
	// bid returns a bid in a reply.
	bid func(v view, b bid) any
	// list returns the body of a reply with bids.
	list func(p page) any
	// other returns what the verbs project and token reply with; only shapes with such a route have it.
	other func(res result) any
	// wrap returns the body that holds a value. Default: the value itself.
	wrap func(verb Verb, value any) any
	// headers returns further headers of a reply. Default: none.
	headers func(v view, res result) map[string]string
	// alwaysOK answers a new bid with 200 instead of 201.
	alwaysOK bool
	// failure returns the status and the body of a refusal.
	failure func(f refusal) (int, any)
}

// route is one call of a shape.
type route struct {
	// pattern is a method and a path below the market, such as "POST bids/{bid}/withdraw". A segment {posting} or {bid} stands
	// for any one ID.
	pattern string
	verb    Verb
	// read reads what the path does not say. With a refusal, the request still says as much as was understood. Default: nothing.
	read func(c *call) *refusal
}

// parse reads a call; path is what follows the market's name. A call that matches no route has VerbOther.
func (s *shape) parse(r *http.Request, path []string, body []byte) (request, *refusal) {
	for _, route := range s.routes {
		c := &call{request: request{verb: route.verb}, req: r, body: body}
		if !c.matches(route.pattern, path) {
			continue
		}
		if route.read == nil {
			return c.request, nil
		}
		bad := route.read(c)
		return c.request, bad
	}
	return request{verb: VerbOther}, &refusal{
		http.StatusNotFound, codeNoSuchRoute, fmt.Sprintf("no route %s %s", r.Method, r.URL.Path),
	}
}

func (s *shape) tokenOf(r *http.Request) string {
	if s.token == nil {
		return bearer(r)
	}
	return s.token(r)
}

// success returns the reply to a call that was granted.
func (s *shape) success(v view, res result) answer {
	out := answer{status: http.StatusOK, bidID: res.bid.BidID}
	var value any
	switch verb := res.request.verb; verb {
	case VerbMe:
		value = s.me(res.account)
	case VerbList, VerbLookup:
		p := page{view: v, result: res, items: []any{}}
		for _, b := range res.bids {
			p.items = append(p.items, s.bid(v, b))
		}
		value = s.list(p)
	case VerbProject, VerbToken:
		value = s.other(res)
	default:
		value = s.bid(v, res.bid)
		if verb == VerbPlace && !res.replayed && !s.alwaysOK {
			out.status = http.StatusCreated
		}
	}
	if s.wrap != nil {
		value = s.wrap(res.request.verb, value)
	}
	if s.headers != nil {
		out.header = s.headers(v, res)
	}
	out.body = encode(value)
	return out
}

func (s *shape) refuse(f refusal) answer {
	status, body := s.failure(f)
	return answer{status: status, body: encode(body), code: f.code}
}

// result is what a granted call found or did.
type result struct {
	request  request
	account  string
	outcome        // place, get, withdraw
	bids     []bid // list, lookup
	more     bool  // list, lookup: there is another page
	postings []posting
	token    grant // token
}

// posting is what an account sees of a posting.
type posting struct {
	id     string
	closed bool
	last   State // of the account's last bid on it; empty when it has none
}

// view is what a shape needs to know about the market for a reply.
type view struct {
	base string // the URL of the market
	url  *url.URL
	echo bool
}

// withKey adds the bid's key to its fields, if there is one and the market shows it.
func (v view) withKey(name string, b bid, fields map[string]any) any {
	if v.echo && b.Key != "" {
		fields[name] = b.Key
	}
	return fields
}

// pageURL is the URL of the call, at a path of the market, with another page number.
func (v view) pageURL(path, param string, page int) string {
	q := v.url.Query()
	q.Set(param, strconv.Itoa(page))
	return v.base + path + "?" + q.Encode()
}

// page is a page of a list: its bids as the shape shows them.
type page struct {
	view
	result
	items []any
}

// next returns the value if there is another page, else nil.
func (p page) next(value any) any {
	if !p.more {
		return nil
	}
	return value
}
