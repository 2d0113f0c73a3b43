package marketsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
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

// call is a request while a route reads it.
type call struct {
	request
	http *http.Request
	body []byte
}

// shapeOf returns the shape that the settings ask for; nil when there is none of the name.
func shapeOf(s Settings) *shape {
	if s.Shape == ShapeFreelancer {
		return freelancerShape(*s.Freelancer)
	}
	return shapes[s.Shape]
}

// shapes are those without settings of their own.
var shapes = map[Shape]*shape{
	ShapeRest:          &restShape,
	ShapeFreelancehunt: &freelancehuntShape,
	ShapeTaskfast:      &taskfastShape,
	ShapeBotguild:      &botguildShape,
	ShapeLoadboard:     &loadboardShape,
	ShapeGraphQL:       &graphqlShape,
	ShapeQuayside:      &quaysideShape,
}

// parse reads a call; path is what follows the market's name. A call that matches no route has VerbOther.
func (s *shape) parse(r *http.Request, path []string, body []byte) (request, *refusal) {
	for _, route := range s.routes {
		c := &call{request: request{verb: route.verb}, http: r, body: body}
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
	out := answer{status: http.StatusOK, bidID: res.bid.ID}
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

// request is one call as every shape understands it.
type request struct {
	verb     Verb
	posting  string
	projects []string // several postings
	bidID    string
	newest   bool   // the bid is the account's newest on the posting; the call does not name it
	bidder   string // the account that the call names, as FreelancerID has it; empty when it names none
	as       string // the account that the call says it is from; "" when it says nothing
	offer    offer
	reason   string
	states   []State
	page     int // from 1
	perPage  int // 0 for the market's page size
	cursor   int // the last bid seen
	offset   int // how many bids to leave out
}

// offer is what a place call offers.
type offer struct {
	amount   string
	currency string
	days     int
	text     string
}

// result is what a granted call found or did.
type result struct {
	request  request
	account  string
	bid      bid   // place, get, withdraw
	replayed bool  // place
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

func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func badRequest(code, format string, args ...any) *refusal {
	return &refusal{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...)}
}

// matches reports whether the call fits the pattern, and takes the IDs from its path.
func (c *call) matches(pattern string, path []string) bool {
	method, route, _ := strings.Cut(pattern, " ")
	segments := strings.Split(route, "/")
	if c.http.Method != method || len(path) != len(segments) {
		return false
	}
	for i, segment := range segments {
		switch segment {
		case "{posting}":
			c.posting = path[i]
		case "{bid}":
			c.bidID = path[i]
		case path[i]:
		default:
			return false
		}
	}
	return true
}

// decode reads a JSON body; numbers in fields of type any keep their spelling. An empty body reads as {}.
func decode(body []byte, into any) *refusal {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return badRequest(codeBadRequest, "the body is not the JSON expected here: %v", err)
	}
	return nil
}

// offers checks what a place call offers on the posting; bad is what is known to be wrong with it.
func (c *call) offers(bad *refusal, amount any, numbers bool, o offer) *refusal {
	c.offer = o
	if bad == nil {
		bad = checkPosting(c.posting)
	}
	if bad == nil {
		c.offer.amount, bad = checkAmount(amount, numbers)
	}
	return bad
}

// readReason reads the reason of a withdrawal, which some shapes call a comment.
func readReason(c *call) *refusal {
	var in struct{ Reason, Comment string }
	bad := decode(c.body, &in)
	c.reason = in.Reason + in.Comment
	return bad
}

// listing reads the call of a list. It names the query parameters; a shape that lacks one leaves its name empty.
type listing struct {
	posting, status, page, perPage string
	words                          words
}

func (l listing) read(c *call) (bad *refusal) {
	q := c.http.URL.Query()
	c.narrow(q.Get(l.posting))
	if c.states, bad = l.words.states(q.Get(l.status)); bad != nil {
		return bad
	}
	if c.page, bad = number(q, l.page, 1); bad != nil {
		return bad
	}
	c.perPage, bad = number(q, l.perPage, 0)
	return bad
}

// narrow makes the list a lookup if it names a posting.
func (c *call) narrow(posting string) {
	if c.posting = posting; posting != "" {
		c.verb = VerbLookup
	}
}

const cursorPrefix = "after-"

// after reads a cursor: the prefix and the ID of the last bid seen.
func (c *call) after(name, given, cursor string) *refusal {
	text, found := strings.CutPrefix(cursor, cursorPrefix)
	n, err := strconv.Atoi(text)
	if err != nil || !found {
		return badRequest(codeBadRequest, "%s: %q is not a cursor of this list", name, given)
	}
	c.cursor = n
	return nil
}

var decimalText = regexp.MustCompile(`^(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?$`)

// checkAmount returns the spelling of a positive decimal given as a string or, where the shape allows it, as a number.
func checkAmount(value any, numbers bool) (string, *refusal) {
	text, ok := value.(string)
	if n, isNumber := value.(json.Number); isNumber && numbers {
		text, ok = n.String(), true
	}
	if !ok || !decimalText.MatchString(text) || strings.Trim(text, "0.") == "" {
		return "", badRequest(codeInvalidAmount, "the amount %v is not a positive decimal such as \"120.50\"", value)
	}
	return text, nil
}

func checkPosting(posting string) *refusal {
	if posting == "" || !utf8.ValidString(posting) {
		return badRequest(codeInvalidPosting, "the posting %q is empty or not UTF-8", posting)
	}
	return nil
}

// number reads a query parameter that counts from 1; missing is the default.
func number(q url.Values, name string, otherwise int) (int, *refusal) {
	text := q.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1_000_000 {
		return 0, badRequest(codeBadRequest, "%s: %q is not a number from 1 to 1000000", name, text)
	}
	return n, nil
}

var plainNumber = regexp.MustCompile(`^[1-9][0-9]{0,14}$`)

// numeric returns an ID as a JSON number when that keeps its spelling, else as a string.
func numeric(id string) any {
	if plainNumber.MatchString(id) {
		return json.Number(id)
	}
	return id
}

// words are the names that a shape gives to states.
type words map[State]string

// states returns the states that a word stands for; all (nil) for the empty word.
func (w words) states(word string) ([]State, *refusal) {
	if word == "" {
		return nil, nil
	}
	var out []State
	for _, s := range States() {
		if w[s] == word {
			out = append(out, s)
		}
	}
	if out == nil {
		return nil, badRequest(codeBadRequest, "the status %q is unknown", word)
	}
	return out, nil
}
