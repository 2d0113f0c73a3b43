package freelancer

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/onebid-dev/onebid/internal/marketplace"
)

// minDescription is the shortest description that the site takes, in characters. To a shorter one it has been seen to
// answer HTTP 500.
const minDescription = 100

// contacts are what a description must not hold. They recognise what is beyond doubt: a bid that they refuse is given up.
// The site looks again, and refuses what it finds as BID_DESCRIPTION_….
var contacts = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{"an e-mail address", regexp.MustCompile(`[\pL\pN._%+-]+@([\pL\pN-]+\.)+(\pL{2,}|xn--)`)},
	{"a URL", regexp.MustCompile(`(?i)\b(https?://|www\.)[\pL\pN]`)},
	{"a telephone number", regexp.MustCompile(`(^|[^\pL\pN+])\+[0-9][0-9 ().-]{6,}[0-9]|\(?\b[0-9]{3}\)?[ .-][0-9]{3}[ .-][0-9]{4}\b`)},
}

// check says what is wrong with a bid, by the fields of the Bid. It does not quote the proposal.
func check(p marketplace.PlaceRequest) error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !amount.MatchString(p.Price.Amount) || strings.Trim(p.Price.Amount, "0.") == "" {
		wrong("spec.price.amount: %q must be a decimal above 0", p.Price.Amount)
	}
	if p.DeliveryDays < 1 {
		wrong("spec.deliveryDays: %d must be 1 or more", p.DeliveryDays)
	}
	if !utf8.ValidString(p.Proposal) {
		wrong("spec.proposal: must be UTF-8")
	}
	if n := utf8.RuneCountInString(strings.TrimSpace(p.Proposal)); n < minDescription {
		wrong("spec.proposal: has %d characters and must have %d or more", n, minDescription)
	}
	for _, c := range contacts {
		if c.pattern.MatchString(p.Proposal) {
			wrong("spec.proposal: must not hold %s", c.what)
		}
	}
	return errors.Join(errs...)
}
