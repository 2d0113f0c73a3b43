package rules

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"text/template"
	"unicode/utf8"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/celeval"
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
	amount, currency, deliveryDays *celeval.Expression
	proposal                       *template.Template
	attributes                     map[string]*celeval.Expression
}

// input is what the template of the proposal sees.
type input struct {
	Item    feed.Item
	Posting v1alpha1.PostingSpec
	Score   int32
	Price   v1alpha1.Money
}

func (c *compiler) bid(b *BidConfig) bidRules {
	see := func(field, source string, want celeval.Kind) *celeval.Expression {
		return c.compile(bidScope, "bid."+field, source, want)
	}
	r := bidRules{
		amount:       see("price.amount", b.Price.Amount, wantText),
		currency:     see("price.currency", b.Price.Currency, wantText),
		deliveryDays: see("deliveryDays", b.DeliveryDays, wantInt),
		attributes:   map[string]*celeval.Expression{},
	}
	if len(b.Attributes) > maxAttributes {
		c.wrong("bid.attributes", "%d of them: must be at most %d", len(b.Attributes), maxAttributes)
	}
	for name, source := range b.Attributes {
		r.attributes[name] = see("attributes."+name, source, wantText)
	}
	if b.Proposal != "" {
		var err error
		if r.proposal, err = newProposal(b.Proposal); err != nil {
			c.wrong("bid.proposal", "must be a Go template: %v", err)
		}
	}
	return r
}

func (b *bidRules) apply(ctx context.Context, v *evaluation, in input) v1alpha1.BidSpec {
	spec := v1alpha1.BidSpec{Price: v1alpha1.Money{Amount: v.text(b.amount), Currency: v.text(b.currency)}}
	v.checkAmount(b.amount, spec.Price.Amount)
	if onlyZeros.MatchString(spec.Price.Amount) {
		v.wrong(b.amount, "gives %q: must be greater than 0", spec.Price.Amount)
	}
	v.checkCurrency(b.currency, spec.Price.Currency)
	if days := v.number(b.deliveryDays, 1, maxDeliveryDays); days != nil {
		spec.DeliveryDays = *days
	}
	spec.Attributes = b.extras(v)
	if in.Price = spec.Price; v.err == nil {
		spec.Proposal, v.err = b.write(ctx, in)
	}
	return spec
}

func (v *evaluation) checkAmount(e *celeval.Expression, value string) {
	if !decimalAmount.MatchString(value) {
		v.wrong(e, "gives %q: must be a decimal such as 250 or 12.50, with at most 4 decimals; round(…, 2) makes one", value)
	}
}

func (v *evaluation) checkCurrency(e *celeval.Expression, value string) {
	if !currencyCode.MatchString(value) {
		v.wrong(e, "gives %q: must be an ISO 4217 code of three capital letters, such as USD", value)
	}
}

// extras are the attributes; one that gives nothing is left out.
func (b *bidRules) extras(v *evaluation) map[string]v1alpha1.AttributeValue {
	out := map[string]v1alpha1.AttributeValue{}
	for _, name := range slices.Sorted(maps.Keys(b.attributes)) {
		e := b.attributes[name]
		value := v.value(e)
		if value == nil {
			continue
		}
		text, ok := celeval.Text(value)
		if !ok || utf8.RuneCountInString(text) > maxAttributeLength {
			v.wrong(e, "must give %s of at most %d characters", wantText.Words, maxAttributeLength)
		}
		out[name] = v1alpha1.AttributeValue(text)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
