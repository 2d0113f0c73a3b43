package freelancer

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/egress"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

const (
	root = "spec.freelancer"
	// tokenKey is the key of the credentials Secret.
	tokenKey = "token"

	production = "https://www.freelancer.com"
	sandbox    = "https://www.freelancer-sandbox.com"

	// defaultMilestone is the schema's default.
	defaultMilestone = 50
)

// Driver is a marketplace.Driver for one account. Make it with New, close it when it is no longer used.
type Driver struct {
	site      string // the API is below site + /api
	token     string
	milestone int32
	profile   int64 // 0 for the account's own choice
	options   wire.Options
	sender    *wire.Sender

	mu         sync.Mutex
	self       string              // the account's ID, once known
	form       encoding            // in which the site took the last retraction
	currencies map[string]currency // by project
}

var _ marketplace.Driver = (*Driver)(nil)

// New checks the spec, whatever admission let through. It makes no call. The error is a *marketplace.FieldError.
func New(spec *onebidv1.MarketplaceSpec, credentials map[string][]byte, o wire.Options) (*Driver, error) {
	o = o.WithDefaults()
	site, err := siteOf(spec, o.Egress)
	if err != nil {
		return nil, err
	}
	token := strings.TrimRight(string(credentials[tokenKey]), "\r\n")
	if token == "" || !httpguts.ValidHeaderFieldValue(token) {
		return nil, wrong("spec.credentialsSecretRef", "the Secret must have the key %q: an OAuth token, on one line", tokenKey)
	}
	d := &Driver{
		site: site, token: token, milestone: defaultMilestone, profile: spec.Freelancer.ProfileID, options: o,
		sender: wire.NewSender(o), currencies: map[string]currency{},
	}
	if percentage := spec.Freelancer.MilestonePercentage; percentage != nil {
		d.milestone = *percentage
	}
	if d.milestone < 0 || d.milestone > 100 {
		return nil, wrong(root+".milestonePercentage", "%d must be 0 to 100", d.milestone)
	}
	return d, nil
}

// Factory builds drivers for Marketplaces with spec.freelancer, each with its own timeout.
func Factory(o wire.Options) marketplace.Factory {
	return func(
		_ context.Context, spec *onebidv1.MarketplaceSpec, credentials map[string][]byte,
	) (marketplace.Driver, error) {
		mine := o
		mine.Timeout = time.Duration(spec.TimeoutSeconds) * time.Second
		d, err := New(spec, credentials, mine)
		if err != nil {
			return nil, err
		}
		return d, nil
	}
}

func wrong(field, format string, args ...any) error {
	return &marketplace.FieldError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// siteOf gives the address, once everything is in order that the real site's terms ask for.
func siteOf(spec *onebidv1.MarketplaceSpec, p egress.Policy) (string, error) {
	f := spec.Freelancer
	if f == nil {
		return "", wrong(root, "must be given")
	}
	if spec.Class != onebidv1.ClassUniquePerPosting {
		return "", wrong("spec.class", "%s must be %s: the site itself refuses a second bid on a project", spec.Class,
			onebidv1.ClassUniquePerPosting)
	}
	switch f.Environment {
	case onebidv1.FreelancerProduction:
		if spec.Approval != onebidv1.ApprovalManual {
			return "", wrong("spec.approval", "%s must be Manual with %s.environment Production: the terms of Freelancer.com "+
				"prohibit unattended bidding", spec.Approval, root)
		}
		if f.BaseURL != "" {
			return "", wrong(root+".baseURL", "must be left out with environment Production, whose address is fixed")
		}
		return production, nil
	case onebidv1.FreelancerSandbox, "":
		if f.BaseURL != "" {
			return override(f.BaseURL, p)
		}
		return sandbox, nil
	}
	return "", wrong(root+".environment", "%q must be Sandbox or Production", f.Environment)
}

// override takes an address in place of the sandbox's, but never the real site's: that needs what Production needs.
func override(base string, p egress.Policy) (string, error) {
	if err := wire.CheckBase(base, p); err != nil {
		return "", wrong(root+".baseURL", "%v", err)
	}
	parsed, err := url.Parse(base)
	if err != nil || isProduction(parsed.Hostname()) {
		return "", wrong(root+".baseURL", "must not be Freelancer.com: for the real site leave it out and set environment to Production")
	}
	return strings.TrimRight(base, "/"), nil
}

// isProduction recognises the real site, which has a domain in many countries.
func isProduction(host string) bool {
	labels := strings.Split(strings.TrimRight(strings.ToLower(host), "."), ".")
	for _, label := range labels[:len(labels)-1] {
		if label == "freelancer" {
			return true
		}
	}
	return false
}

// Close drops idle connections. Calls under way go on.
func (d *Driver) Close() error {
	d.sender.Close()
	return nil
}

// Capabilities implements marketplace.Driver. The site stores no key of ours; one bid per project and account is the key.
func (*Driver) Capabilities() marketplace.Capabilities {
	return marketplace.Capabilities{CanList: true, CanWithdraw: true}
}
