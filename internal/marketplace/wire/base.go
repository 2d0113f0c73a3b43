package wire

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/onebid-dev/onebid/internal/marketplace/egress"
)

// CheckBase says what is wrong with the URL that all requests of a driver begin with. Where a host's name leads is judged
// when it is connected to.
func CheckBase(base string, p egress.Policy) error {
	parsed, err := url.Parse(base)
	if err != nil {
		parsed = &url.URL{}
	}
	switch {
	case parsed.Host == "" || parsed.User != nil || strings.ContainsAny(base, "?#"):
		return errors.New("must be https://, a host and an optional path: no user, query or fragment")
	case parsed.Scheme == "http" && !p.AllowsPrivate():
		return fmt.Errorf("must begin with https://: credentials would travel in the clear; http:// is for marketplaces "+
			"inside, which the manager's flag %s allows", egress.Flag)
	case parsed.Scheme != "http" && parsed.Scheme != "https":
		return errors.New("must begin with https://")
	}
	if addr, err := netip.ParseAddr(parsed.Hostname()); err == nil {
		return p.Check(addr)
	}
	return nil
}
