package marketsim

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
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
	// ShapeFreelancer imitates Freelancer.com; postings are projects, whose IDs are numbers.
	ShapeFreelancer Shape = "freelancer"
	// ShapeBotguild imitates the agent API of BotGuild, with an API key and links to further pages in a header.
	ShapeBotguild Shape = "botguild"
	// ShapeLoadboard imitates a board for freight loads such as Walmart's, where the bid is a resource of the load.
	ShapeLoadboard Shape = "loadboard"
	// ShapeGraphQL is a GraphQL API: one address, errors with status 200, cursors in the body.
	ShapeGraphQL Shape = "graphql"
	// ShapeQuayside is the invented marketplace of docs/add-a-marketplace.md.
	ShapeQuayside Shape = "quayside"
)

// Auth is how the clients of a market prove who they are.
type Auth string

// The ways to prove it.
const (
	// AuthToken takes a token as it is; which header it is in depends on the shape.
	AuthToken Auth = "token"
	// AuthOAuth2 gives out access tokens at POST /{market}/oauth/token for the grants client_credentials and
	// refresh_token, and takes them as bearer tokens in every shape. The client's ID names the account; its secret is
	// "secret-" and the ID, its refresh token "refresh-" and the ID. A restart forgets the tokens that were given out.
	AuthOAuth2 Auth = "oauth2"
	// AuthHMAC wants each call signed. X-Client names the account, X-Timestamp is in Unix seconds and at most five minutes
	// off, and X-Signature is the hexadecimal HMAC-SHA-256, with the key "secret-" and the account, of timestamp, method,
	// path, query and body as they were sent, joined by line breaks.
	AuthHMAC Auth = "hmac"
)

const (
	defaultTokenSeconds = 3600
	defaultPageSize     = 20
	maxPageSize         = 1000
)

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
	// Put makes the bid a resource of its posting, as PUT does: a bid that is live or won answers a second one with itself,
	// one that is placed later has the same ID, and after a rejection there is none any more (409 BID_FINAL). Only with
	// UniquePerPosting.
	Put bool `json:"put,omitempty"`
	// Auth is how clients prove who they are. Default: token.
	Auth Auth `json:"auth,omitempty"`
	// TokenSeconds is how long an access token is valid, 1 to 86400. Only with oauth2. Default 3600.
	TokenSeconds int `json:"tokenSeconds,omitempty"`
	// ReuseIDs gives a bid placed after a withdrawal the ID of the withdrawn one. Only with UniquePerPosting.
	ReuseIDs bool `json:"reuseIDs,omitempty"`
	// Freelancer chooses where the sources about that site disagree. Only with the shape freelancer.
	Freelancer *Freelancer `json:"freelancer,omitempty"`
}

// Retract is an encoding of the action that takes a bid back.
type Retract string

// The encodings; empty takes both.
const (
	RetractForm Retract = "form"
	RetractJSON Retract = "json"
)

// Freelancer are settings of the shape freelancer.
type Freelancer struct {
	// Currency of every project. Default: USD.
	Currency string `json:"currency,omitempty"`
	// Retract is the one encoding that is taken; another is refused as BAD_FORM. Default: both.
	Retract Retract `json:"retract,omitempty"`
	// NestedErrors writes errors as {"status":"error","error":{"code","detail"}}.
	NestedErrors bool `json:"nestedErrors,omitempty"`
	// HideRetracted leaves retracted bids out of lists.
	HideRetracted bool `json:"hideRetracted,omitempty"`
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

// oneOf is an error unless the value of the field is one of the allowed.
func oneOf[T ~string](field string, value T, allowed ...T) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s: %q is not one of %s", field, value, strings.Trim(strings.ReplaceAll(fmt.Sprint(allowed), " ", ", "), "[]"))
}

// withDefaults returns the settings with every default filled in, or what is wrong with them.
func (s Settings) withDefaults() (Settings, error) {
	s, err := s.withFreelancer()
	if err != nil {
		return s, err
	}
	if err := cmp.Or(
		oneOf("shape", s.Shape, ShapeRest, ShapeFreelancehunt, ShapeTaskfast, ShapeFreelancer, ShapeBotguild, ShapeLoadboard,
			ShapeGraphQL, ShapeQuayside),
		oneOf("class", s.Class, ClassIdempotencyKey, ClassUniquePerPosting, ClassNone),
	); err != nil {
		return s, err
	}
	s.PageSize = cmp.Or(s.PageSize, defaultPageSize)
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
	for name, set := range map[string]bool{"put": s.Put, "reuseIDs": s.ReuseIDs} {
		if set && s.Class != ClassUniquePerPosting {
			return s, fmt.Errorf("%s: true needs class UniquePerPosting, not %s", name, s.Class)
		}
	}
	return s.withAuth()
}

func (s Settings) withAuth() (Settings, error) {
	s.Auth = cmp.Or(s.Auth, AuthToken)
	if err := oneOf("auth", s.Auth, AuthToken, AuthOAuth2, AuthHMAC); err != nil {
		return s, err
	}
	if s.Auth != AuthOAuth2 {
		if s.TokenSeconds != 0 {
			return s, fmt.Errorf("tokenSeconds: %d needs auth oauth2, not %s", s.TokenSeconds, s.Auth)
		}
		return s, nil
	}
	s.TokenSeconds = cmp.Or(s.TokenSeconds, defaultTokenSeconds)
	if s.TokenSeconds < 1 || s.TokenSeconds > 86400 {
		return s, fmt.Errorf("tokenSeconds: %d is not between 1 and 86400", s.TokenSeconds)
	}
	return s, nil
}

func (s Settings) withFreelancer() (Settings, error) {
	if s.Shape != ShapeFreelancer {
		if s.Freelancer != nil {
			return s, fmt.Errorf("freelancer: is only for shape freelancer, not for %q", s.Shape)
		}
		return s, nil
	}
	f := Freelancer{}
	if s.Freelancer != nil {
		f = *s.Freelancer
	}
	f.Currency = cmp.Or(f.Currency, "USD")
	s.Freelancer = &f
	if f.Retract == "" {
		return s, nil
	}
	return s, oneOf("freelancer.retract", f.Retract, RetractForm, RetractJSON)
}

// defaultMarkets are the markets that every ledger begins with.
func defaultMarkets() map[string]Settings {
	return map[string]Settings{
		"rest":          {Shape: ShapeRest, Class: ClassIdempotencyKey},
		"unique":        {Shape: ShapeRest, Class: ClassUniquePerPosting},
		"none":          {Shape: ShapeRest, Class: ClassNone},
		"freelancehunt": {Shape: ShapeFreelancehunt, Class: ClassUniquePerPosting},
		"taskfast":      {Shape: ShapeTaskfast, Class: ClassUniquePerPosting},
		"freelancer":    {Shape: ShapeFreelancer, Class: ClassUniquePerPosting},
		"botguild":      {Shape: ShapeBotguild, Class: ClassUniquePerPosting},
		"loadboard":     {Shape: ShapeLoadboard, Class: ClassUniquePerPosting, Put: true},
		"graphql":       {Shape: ShapeGraphQL, Class: ClassNone, Auth: AuthOAuth2},
		"quayside":      {Shape: ShapeQuayside, Class: ClassUniquePerPosting, Auth: AuthHMAC},
	}
}
