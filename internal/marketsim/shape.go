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

// shape is the dialect of a market's API: it reads calls and words replies, and knows nothing of what they do.
type shape interface {
	// token returns the token of the call, empty when there is none.
	token(r *http.Request) string
	// parse reads a call; path is what follows the market's name. A call that matches no route has VerbOther. With a
	// refusal, the request still says as much as was understood.
	parse(r *http.Request, path []string, body []byte) (request, *refusal)
	// success words the result of a call that was granted.
	success(v view, res result) wording
	// failure words a refusal.
	failure(f refusal) wording
}

// wording is a reply as a shape words it.
type wording struct {
	status int
	header map[string]string
	body   any
}

// shapeOf returns the shape that the settings ask for; nil when there is none of the name.
func shapeOf(s Settings) shape {
	if s.Shape == ShapeFreelancer {
		return freelancerShape{*s.Freelancer}
	}
	return shapes[s.Shape]
}

// shapes are those without settings of their own.
var shapes = map[Shape]shape{
	ShapeRest:          restShape{},
	ShapeFreelancehunt: freelancehuntShape{},
	ShapeTaskfast:      taskfastShape{},
	ShapeBotguild:      botguildShape{},
	ShapeLoadboard:     loadboardShape{},
	ShapeGraphQL:       graphqlShape{},
	ShapeQuayside:      quaysideShape{},
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
	page     int // from 1; 0 when the shape pages by cursor or offset
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

// bidStatus is the HTTP status of a reply with one bid.
func (r result) bidStatus() int {
	if r.request.verb == VerbPlace && !r.replayed {
		return http.StatusCreated
	}
	return http.StatusOK
}

// view is what a shape needs to know about the market to word a reply.
type view struct {
	base string // the URL of the market
	url  *url.URL
	echo bool
}

// key is the bid's key as far as the market shows it.
func (v view) key(b bid) string {
	if !v.echo {
		return ""
	}
	return b.Key
}

// pageURL is the URL of the call, at a path of the market, with another page number.
func (v view) pageURL(path, param string, page int) string {
	q := v.url.Query()
	q.Set(param, strconv.Itoa(page))
	return strings.TrimSuffix(v.base, "/") + path + "?" + q.Encode()
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

// matches reports whether the call fits a pattern such as "POST bids/*/withdraw", where * is any one segment.
func matches(r *http.Request, path []string, pattern string) bool {
	method, route, _ := strings.Cut(pattern, " ")
	segments := strings.Split(route, "/")
	if r.Method != method || len(path) != len(segments) {
		return false
	}
	for i, s := range segments {
		if s != "*" && s != path[i] {
			return false
		}
	}
	return true
}

func noRoute(r *http.Request) (request, *refusal) {
	return request{verb: VerbOther}, &refusal{
		status: http.StatusNotFound, code: codeNoSuchRoute,
		message: fmt.Sprintf("no route %s %s", r.Method, r.URL.Path),
	}
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
