package rules

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/net/http/httpguts"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/onebid-dev/onebid/internal/scanner/feed"
)

// Config is the file that --config names. What is not known is refused.
type Config struct {
	// Marketplace is the name of the Marketplace that the postings are from.
	Marketplace string `json:"marketplace"`
	// Feed is where they are found.
	Feed FeedConfig `json:"feed"`
	// Posting is how an item of the feed becomes a Posting.
	Posting PostingConfig `json:"posting"`
	// Evaluate is whether the Posting is worth a bid.
	Evaluate EvaluateConfig `json:"evaluate"`
	// Bid is what to bid.
	Bid BidConfig `json:"bid"`
}

// FeedConfig is where postings are found.
type FeedConfig struct {
	// Location is an http or https URL, the path of a file, or "-" for standard input; --feed overrides it.
	Location string `json:"location,omitempty"`
	// Format is Auto (the default), JSON, JSONL or XML.
	Format feed.Format `json:"format,omitempty"`
	// Items finds the list in a JSON document, called feed; without it the document is the list.
	Items string `json:"items,omitempty"`
	// Headers of each request.
	Headers []HeaderConfig `json:"headers,omitempty"`
	// IntervalSeconds between two readings. Defaults to 60.
	IntervalSeconds int `json:"intervalSeconds,omitempty"`
	// TimeoutSeconds of one reading. Defaults to 30.
	TimeoutSeconds int `json:"timeoutSeconds,omitempty"`
}

// HeaderConfig is one header, with either a value or the path of a file that holds it.
type HeaderConfig struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
	File  string `json:"file,omitempty"`
}

// PostingConfig has an expression for each field; all but id may be left out. They see item.
type PostingConfig struct {
	ID          string       `json:"id"`
	Title       string       `json:"title,omitempty"`
	Description string       `json:"description,omitempty"`
	URL         string       `json:"url,omitempty"`
	Budget      BudgetConfig `json:"budget,omitzero"`
	Skills      string       `json:"skills,omitempty"`
	ClosesAt    string       `json:"closesAt,omitempty"`
	Closed      string       `json:"closed,omitempty"`
}

// BudgetConfig has an expression for each field; currency is needed when one of the others gives something.
type BudgetConfig struct {
	Min      string `json:"min,omitempty"`
	Max      string `json:"max,omitempty"`
	Currency string `json:"currency,omitempty"`
}

// EvaluateConfig has expressions that see item and posting.
type EvaluateConfig struct {
	// Suitable is whether to bid. Defaults to true.
	Suitable string `json:"suitable,omitempty"`
	// Score from 0 to 100.
	Score string `json:"score,omitempty"`
	// Reason of the verdict, in a few words.
	Reason string `json:"reason,omitempty"`
}

// BidConfig has expressions that see item, posting and score, but for the proposal.
type BidConfig struct {
	Price        PriceConfig `json:"price"`
	DeliveryDays string      `json:"deliveryDays,omitempty"`
	// Proposal is a Go template that sees .Item, .Posting, .Score and .Price.
	Proposal   string            `json:"proposal,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

// PriceConfig has an expression for each field.
type PriceConfig struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// Defaults and bounds of FeedConfig.
const (
	defaultInterval = 60
	defaultTimeout  = 30
	maxInterval     = 24 * 60 * 60
	maxTimeout      = 10 * 60
)

// FieldError says which field of the configuration is wrong, and what would be right.
type FieldError struct {
	// Field is the path, such as posting.budget.min.
	Field string
	// Reason holds the value, and what would be right.
	Reason string
}

// Error names the field and the reason.
func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

// ParseConfig reads YAML, fills in defaults and checks what needs no expression to be compiled. It returns all that is
// wrong, joined.
func ParseConfig(text []byte) (*Config, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errors.New("empty: must be a mapping with marketplace, feed, posting and bid")
	}
	c := &Config{}
	document, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, fmt.Errorf("must be YAML: %w", err)
	}
	unknown, err := json.UnmarshalStrict(document, c)
	if err = errors.Join(append(unknown, err)...); err != nil {
		return nil, fmt.Errorf("must have the documented fields only: %w", err)
	}
	c.Feed.IntervalSeconds = orDefault(c.Feed.IntervalSeconds, defaultInterval)
	c.Feed.TimeoutSeconds = orDefault(c.Feed.TimeoutSeconds, defaultTimeout)
	if c.Evaluate.Suitable == "" {
		c.Evaluate.Suitable = "true"
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

func orDefault(value, fallback int) int {
	if value == 0 {
		return fallback
	}
	return value
}

func (c *Config) check() error {
	errs := []error{
		needed("marketplace", c.Marketplace), needed("posting.id", c.Posting.ID),
		needed("bid.price.amount", c.Bid.Price.Amount), needed("bid.price.currency", c.Bid.Price.Currency),
		within("feed.intervalSeconds", c.Feed.IntervalSeconds, maxInterval),
		within("feed.timeoutSeconds", c.Feed.TimeoutSeconds, maxTimeout),
	}
	if (c.Posting.Budget.Min != "" || c.Posting.Budget.Max != "") && c.Posting.Budget.Currency == "" {
		errs = append(errs, needed("posting.budget.currency", ""))
	}
	for i, header := range c.Feed.Headers {
		errs = append(errs, header.check(fmt.Sprintf("feed.headers[%d]", i)))
	}
	return errors.Join(errs...)
}

func (h HeaderConfig) check(field string) error {
	if !httpguts.ValidHeaderFieldName(h.Name) {
		return &FieldError{field + ".name", fmt.Sprintf("invalid value %q: must be the name of an HTTP header", h.Name)}
	}
	if !httpguts.ValidHeaderFieldValue(h.Value) {
		return &FieldError{field + ".value", fmt.Sprintf("invalid value of header %s: must not hold control characters",
			http.CanonicalHeaderKey(h.Name))}
	}
	if (h.Value == "") == (h.File == "") {
		return &FieldError{field, fmt.Sprintf("header %s must have either a value or a file", h.Name)}
	}
	return nil
}

func needed(field, value string) error {
	if value == "" {
		return &FieldError{field, "must be set"}
	}
	return nil
}

func within(field string, value, most int) error {
	if value < 1 || value > most {
		return &FieldError{field, fmt.Sprintf("invalid value %d: must be from 1 to %d", value, most)}
	}
	return nil
}

// Options of the Reader of this feed.
func (f *FeedConfig) Options() feed.Options {
	o := feed.Options{Location: f.Location, Format: f.Format, Timeout: time.Duration(f.TimeoutSeconds) * time.Second}
	for _, h := range f.Headers {
		o.Headers = append(o.Headers, feed.Header{Name: h.Name, Value: h.Value, File: h.File})
	}
	return o
}

// Interval between two readings.
func (f *FeedConfig) Interval() time.Duration { return time.Duration(f.IntervalSeconds) * time.Second }
