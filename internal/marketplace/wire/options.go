package wire

import (
	"crypto/x509"
	"time"

	"github.com/onebid-dev/onebid/internal/marketplace/egress"
)

// Options are the manager's, not the tenant's. The zero value is safe.
type Options struct {
	// Egress says which addresses may be connected to; by default public ones.
	Egress egress.Policy
	// Timeout bounds each request beside the caller's deadline. Default: 10 s.
	Timeout time.Duration
	// UserAgent that marketplaces see. Default: onebid.
	UserAgent string
	// RootCAs are trusted. Default: the system's.
	RootCAs *x509.CertPool
	// MaxResponseBytes of a reply; a longer one is unreadable. Default: 1 MiB.
	MaxResponseBytes int64
	// MaxPages of a list; a longer one is an error. Default: 1,000.
	MaxPages int
	// Now tells the time. Default: time.Now.
	Now func() time.Time
}

// WithDefaults fills in what is not given.
func (o Options) WithDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.UserAgent == "" {
		o.UserAgent = "onebid"
	}
	if o.MaxResponseBytes <= 0 {
		o.MaxResponseBytes = 1 << 20
	}
	if o.MaxPages <= 0 {
		o.MaxPages = 1000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
