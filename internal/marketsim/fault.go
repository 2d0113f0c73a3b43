package marketsim

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Commit says when a call that meets a fault takes effect.
type Commit string

// The times of taking effect.
const (
	// CommitNormal: after the delay, just before the reply.
	CommitNormal Commit = "normal"
	// CommitBefore: at once, before the delay.
	CommitBefore Commit = "before"
	// CommitNone: never.
	CommitNone Commit = "none"
	// CommitLate: CommitDelayMillis after the arrival, whatever became of the client and of the reply by then.
	CommitLate Commit = "late"
)

// Reply says what the client gets to see.
type Reply string

// The replies.
const (
	// ReplyNormal is the true reply, or the fault's Status and Body.
	ReplyNormal Reply = "normal"
	// ReplyDrop resets the connection without a reply.
	ReplyDrop Reply = "drop"
	// ReplyTruncate promises more bytes than it sends and closes the connection.
	ReplyTruncate Reply = "truncate"
	// ReplyGarbage is a 200 (or Status) whose body is not JSON.
	ReplyGarbage Reply = "garbage"
)

// Fault is a rule that spoils calls. The first rule that matches a call is the only one that it meets.
//
// A delay goes on when the client has given up, as it would at a real marketplace, and holds nothing up but its call.
type Fault struct {
	// ID names the rule. Default: f1, f2, …
	ID string `json:"id,omitempty"`
	// Market, Verb and Posting select the calls, by equality; empty matches all.
	Market  string `json:"market,omitempty"`
	Verb    Verb   `json:"verb,omitempty"`
	Posting string `json:"posting,omitempty"`
	// Times is how many calls meet the rule before it is spent; 0 means until it is removed.
	Times int `json:"times,omitempty"`
	// DelayMillis holds the reply back; with CommitNormal the effect too.
	DelayMillis int `json:"delayMillis,omitempty"`
	// Status replaces the reply's status, 200 to 599. 0 keeps the true reply; where there is none (the commit is none or
	// late), it stands for 503 with commit none and 504 with commit late.
	Status int `json:"status,omitempty"`
	// Code is the error code in the reply. Default: FAULT.
	Code string `json:"code,omitempty"`
	// RetryAfter is the text of the header Retry-After: seconds, a date, or nonsense if that is wanted.
	RetryAfter string `json:"retryAfter,omitempty"`
	// Headers are further headers of the reply.
	Headers map[string]string `json:"headers,omitempty"`
	// Body replaces the body of the reply.
	Body string `json:"body,omitempty"`
	// Commit is when the call takes effect. Default: none when Status is set, otherwise normal.
	Commit Commit `json:"commit,omitempty"`
	// CommitDelayMillis is how long after the arrival a late commit happens. Required with CommitLate, else refused.
	CommitDelayMillis int `json:"commitDelayMillis,omitempty"`
	// Reply is what the client sees. Default: normal.
	Reply Reply `json:"reply,omitempty"`
	// HideMillis keeps a bid placed by the call out of list, lookup and get for so long after it took effect.
	HideMillis int `json:"hideMillis,omitempty"`
	// Used counts the calls that met the rule. Read only.
	Used int `json:"used,omitempty"`
}

// withDefaults returns the rule with its defaults filled in, or what is wrong with it.
func (f Fault) withDefaults() (Fault, error) {
	f.Used = 0
	if f.Commit == "" {
		f.Commit = CommitNormal
		if f.Status != 0 {
			f.Commit = CommitNone
		}
	}
	f.Reply = cmp.Or(f.Reply, ReplyNormal)
	f.Code = cmp.Or(f.Code, "FAULT")
	return f, cmp.Or(f.checkWords(), f.checkNumbers(), f.checkTogether())
}

func (f Fault) checkWords() error {
	verb := cmp.Or(f.Verb, VerbOther) // empty matches all
	return cmp.Or(
		oneOf("verb", verb, VerbPlace, VerbLookup, VerbList, VerbGet, VerbWithdraw, VerbMe, VerbProject, VerbOther),
		oneOf("commit", f.Commit, CommitNormal, CommitBefore, CommitNone, CommitLate),
		oneOf("reply", f.Reply, ReplyNormal, ReplyDrop, ReplyTruncate, ReplyGarbage))
}

func (f Fault) checkNumbers() error {
	for _, n := range []struct {
		name  string
		value int
	}{
		{"times", f.Times}, {"delayMillis", f.DelayMillis}, {"commitDelayMillis", f.CommitDelayMillis},
		{"hideMillis", f.HideMillis},
	} {
		if n.value < 0 {
			return fmt.Errorf("%s: %d is negative; it must be 0 or more", n.name, n.value)
		}
	}
	if f.Status != 0 && (f.Status < http.StatusOK || f.Status > 599) {
		return fmt.Errorf("status: %d is not an HTTP status from 200 to 599", f.Status)
	}
	return nil
}

func (f Fault) checkTogether() error {
	if (f.Commit == CommitLate) != (f.CommitDelayMillis > 0) {
		return fmt.Errorf("commitDelayMillis: %d does not fit commit %q; it must be above 0 with commit late, else 0",
			f.CommitDelayMillis, f.Commit)
	}
	if f.Reply == ReplyDrop && f.Status != 0 {
		return fmt.Errorf("status: %d is never sent with reply drop; use commit none to drop without effect", f.Status)
	}
	if f.HideMillis > 0 && f.Commit == CommitNone {
		return fmt.Errorf("hideMillis: %d hides nothing with commit none; use normal, before or late", f.HideMillis)
	}
	return nil
}

func (f Fault) matches(market string, verb Verb, posting string) bool {
	return (f.Market == "" || f.Market == market) && (f.Verb == "" || f.Verb == verb) &&
		(f.Posting == "" || f.Posting == posting)
}

func (f Fault) spent() bool { return f.Times > 0 && f.Used >= f.Times }

func millis(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// faults is the list of rules, in the order in which they were added. It is safe for concurrent use.
type faults struct {
	mu    sync.Mutex
	rules []*Fault
	named int
}

// add validates and appends a rule. A spent rule of the same ID makes way; an active one is an error.
func (fs *faults) add(f Fault) (Fault, error) {
	f, err := f.withDefaults()
	if err != nil {
		return f, err
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for f.ID == "" {
		fs.named++
		if id := "f" + strconv.Itoa(fs.named); fs.index(id) < 0 {
			f.ID = id
		}
	}
	if i := fs.index(f.ID); i >= 0 {
		if !fs.rules[i].spent() {
			return f, fmt.Errorf("id: %q is the name of an active rule; remove it first or choose another", f.ID)
		}
		fs.rules = slices.Delete(fs.rules, i, i+1)
	}
	fs.rules = append(fs.rules, &f)
	return f, nil
}

func (fs *faults) index(id string) int {
	return slices.IndexFunc(fs.rules, func(f *Fault) bool { return f.ID == id })
}

// meet returns the first rule that matches the call, counted as used; one without ID when there is none.
func (fs *faults) meet(market string, verb Verb, posting string) Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.rules {
		if !f.spent() && f.matches(market, verb, posting) {
			f.Used++
			return *f
		}
	}
	return Fault{Commit: CommitNormal, Reply: ReplyNormal}
}

func (fs *faults) list() []Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	out := make([]Fault, 0, len(fs.rules))
	for _, f := range fs.rules {
		out = append(out, *f)
	}
	return out
}

// remove takes one rule away and reports whether it was there.
func (fs *faults) remove(id string) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	i := fs.index(id)
	if i < 0 {
		return false
	}
	fs.rules = slices.Delete(fs.rules, i, i+1)
	return true
}

func (fs *faults) clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.rules = nil
}
