package marketsim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

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

// call is a request while a route reads it.
type call struct {
	request
	req  *http.Request
	body []byte
}

func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// matches reports whether the call fits the pattern, and takes the IDs from its path.
func (c *call) matches(pattern string, path []string) bool {
	method, route, _ := strings.Cut(pattern, " ")
	segments := strings.Split(route, "/")
	if c.req.Method != method || len(path) != len(segments) {
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
	q := c.req.URL.Query()
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
	for _, s := range allStates() {
		if w[s] == word {
			out = append(out, s)
		}
	}
	if out == nil {
		return nil, badRequest(codeBadRequest, "the status %q is unknown", word)
	}
	return out, nil
}
