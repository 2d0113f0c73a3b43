package rules

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"text/template"
	"unicode/utf8"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/scanner/feed"
)

// What the API server takes.
const (
	maxProposal        = 16384
	maxDeliveryDays    = 3650
	maxAttributes      = 32
	maxAttributeLength = 1024
)

var (
	decimalAmount = regexp.MustCompile(`^(0|[1-9][0-9]{0,11})([.][0-9]{1,4})?$`)
	onlyZeros     = regexp.MustCompile(`^[0.]*$`)
	currencyCode  = regexp.MustCompile(`^[A-Z]{3}$`)
)

// bidRules are the expressions of BidConfig.
type bidRules struct {
	amount, currency, deliveryDays *expression
	proposal                       *template.Template
	attributes                     map[string]*expression
}

// input is what the template of the proposal sees.
type input struct {
	Item    feed.Item
	Posting v1alpha1.PostingSpec
	Score   int32
	Price   v1alpha1.Money
}

func (c *compiler) bid(b *BidConfig) bidRules {
	see := func(field, source string, want kind) *expression {
		return c.compile(bidScope, "bid."+field, source, want)
	}
	r := bidRules{
		amount:       see("price.amount", b.Price.Amount, wantText),
		currency:     see("price.currency", b.Price.Currency, wantText),
		deliveryDays: see("deliveryDays", b.DeliveryDays, wantInt),
		attributes:   map[string]*expression{},
	}
	if len(b.Attributes) > maxAttributes {
		c.errs = append(c.errs, &FieldError{"bid.attributes", fmt.Sprintf("%d of them: must be at most %d", len(b.Attributes), maxAttributes)})
	}
	for name, source := range b.Attributes {
		r.attributes[name] = see("attributes."+name, source, wantText)
	}
	if b.Proposal != "" {
		var err error
		if r.proposal, err = newProposal(b.Proposal); err != nil {
			c.errs = append(c.errs, &FieldError{"bid.proposal", fmt.Sprintf("must be a Go template: %v", err)})
		}
	}
	return r
}

func (b *bidRules) apply(ctx context.Context, vars map[string]any, in input) (v1alpha1.BidSpec, error) {
	r := &reading{vars: vars}
	spec := v1alpha1.BidSpec{Price: v1alpha1.Money{Amount: read(ctx, r, b.amount.text), Currency: read(ctx, r, b.currency.text)}}
	if r.err != nil {
		return v1alpha1.BidSpec{}, r.err
	}
	if err := b.checkPrice(spec.Price); err != nil {
		return v1alpha1.BidSpec{}, err
	}
	var err error
	if spec.DeliveryDays, _, err = b.deliveryDays.number(ctx, vars, 1, maxDeliveryDays); err != nil {
		return v1alpha1.BidSpec{}, err
	}
	if spec.Attributes, err = b.extras(ctx, vars); err != nil {
		return v1alpha1.BidSpec{}, err
	}
	in.Price = spec.Price
	if spec.Proposal, err = b.write(ctx, in); err != nil {
		return v1alpha1.BidSpec{}, err
	}
	return spec, nil
}

func (b *bidRules) checkPrice(price v1alpha1.Money) error {
	if err := amount(b.amount, price.Amount); err != nil {
		return err
	}
	if onlyZeros.MatchString(price.Amount) {
		return b.amount.wrong("gives %q: must be greater than 0", price.Amount)
	}
	return currency(b.currency, price.Currency)
}

func amount(e *expression, value string) error {
	if !decimalAmount.MatchString(value) {
		return e.wrong("gives %q: must be a decimal such as 250 or 12.50, with at most 4 decimals; round(…, 2) makes one", value)
	}
	return nil
}

func currency(e *expression, value string) error {
	if !currencyCode.MatchString(value) {
		return e.wrong("gives %q: must be an ISO 4217 code of three capital letters, such as USD", value)
	}
	return nil
}

func (b *bidRules) extras(ctx context.Context, vars map[string]any) (map[string]v1alpha1.AttributeValue, error) {
	var out map[string]v1alpha1.AttributeValue
	for _, name := range slices.Sorted(maps.Keys(b.attributes)) {
		e := b.attributes[name]
		value, err := e.eval(ctx, vars)
		if err != nil {
			return nil, err
		}
		if value == nil {
			continue
		}
		text, ok := spell(value)
		if !ok || utf8.RuneCountInString(text) > maxAttributeLength {
			return nil, e.wrong("must give %s of at most %d characters", wantText.words, maxAttributeLength)
		}
		if out == nil {
			out = map[string]v1alpha1.AttributeValue{}
		}
		out[name] = v1alpha1.AttributeValue(text)
	}
	return out, nil
}
