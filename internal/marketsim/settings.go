package marketsim

import (
	"fmt"
	"regexp"
	"slices"
)

// Class is what a market does about a second bid of one account on one posting.
type Class string

// The classes.
const (
	// ClassIdempotencyKey honours the header Idempotency-Key: a key given twice returns the first bid as it is now and
	// has no second effect. Two keys on one posting make two live bids, and so does a call without a key.
	ClassIdempotencyKey Class = "IdempotencyKey"
	// ClassUniquePerPosting refuses a bid with 409 while the account has one there that is live or won.
	ClassUniquePerPosting Class = "UniquePerPosting"
	// ClassNone accepts every bid.
	ClassNone Class = "None"
)

// Shape is the dialect of a market's API.
type Shape string

// The shapes.
const (
	// ShapeRest is a plain JSON API below /bids.
	ShapeRest Shape = "rest"
	// ShapeFreelancehunt imitates the JSON:API dialect of Freelancehunt.
	ShapeFreelancehunt Shape = "freelancehunt"
	// ShapeTaskfast imitates the agent API of TaskFast, with cursor paging.
	ShapeTaskfast Shape = "taskfast"
)

// DefaultPageSize is the page size of a market that names none.
const DefaultPageSize = 20

const maxPageSize = 1000

// Settings say how a market behaves. They can change while the market has bids.
type Settings struct {
	// Shape is the dialect of the API. Required.
	Shape Shape `json:"shape"`
	// Class is what happens to a second bid on a posting. Required.
	Class Class `json:"class"`
	// PageSize is both the default and the largest size of a page, 1 to 1000. Default 20.
	PageSize int `json:"pageSize,omitempty"`
	// EchoKey makes the market keep the Idempotency-Key of a bid and show it in reads (client_ref), whether or not its
	// class honours the key. Default: true for the class IdempotencyKey, which cannot be without, otherwise false.
	EchoKey *bool `json:"echoKey,omitempty"`
	// ReuseIDs gives a bid placed after a withdrawal the ID of the withdrawn one. Only with UniquePerPosting.
	ReuseIDs bool `json:"reuseIDs,omitempty"`
}

// Token is the standing of one API token.
type Token struct {
	// Token is the text that clients send. Required.
	Token string `json:"token"`
	// Valid is false for a revoked token; every call with it is answered 401.
	Valid bool `json:"valid"`
	// Account is the account that the token stands for. Default: the token itself.
	Account string `json:"account,omitempty"`
}

var marketName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func validMarketName(name string) error {
	if !marketName.MatchString(name) {
		return fmt.Errorf("name: %q is not a DNS label (a-z, 0-9 and -, at most 63 characters)", name)
	}
	return nil
}

// withDefaults returns the settings with every default filled in, or what is wrong with them.
func (s Settings) withDefaults() (Settings, error) {
	if _, ok := shapes[s.Shape]; !ok {
		return s, fmt.Errorf("shape: %q is not one of rest, freelancehunt, taskfast", s.Shape)
	}
	if !slices.Contains([]Class{ClassIdempotencyKey, ClassUniquePerPosting, ClassNone}, s.Class) {
		return s, fmt.Errorf("class: %q is not one of IdempotencyKey, UniquePerPosting, None", s.Class)
	}
	if s.PageSize == 0 {
		s.PageSize = DefaultPageSize
	}
	if s.PageSize < 1 || s.PageSize > maxPageSize {
		return s, fmt.Errorf("pageSize: %d is not between 1 and %d", s.PageSize, maxPageSize)
	}
	honours := s.Class == ClassIdempotencyKey
	if s.EchoKey == nil {
		s.EchoKey = &honours
	}
	if honours && !*s.EchoKey {
		return s, fmt.Errorf("echoKey: false contradicts class IdempotencyKey, which keeps and shows the key")
	}
	if s.ReuseIDs && s.Class != ClassUniquePerPosting {
		return s, fmt.Errorf("reuseIDs: true needs class UniquePerPosting, not %s", s.Class)
	}
	return s, nil
}

// defaultMarkets are the markets that every ledger begins with.
func defaultMarkets() map[string]Settings {
	return map[string]Settings{
		"rest":          {Shape: ShapeRest, Class: ClassIdempotencyKey},
		"unique":        {Shape: ShapeRest, Class: ClassUniquePerPosting},
		"none":          {Shape: ShapeRest, Class: ClassNone},
		"freelancehunt": {Shape: ShapeFreelancehunt, Class: ClassUniquePerPosting},
		"taskfast":      {Shape: ShapeTaskfast, Class: ClassUniquePerPosting},
	}
}
