// Package account holds this process's connections to accounts at marketplaces. All calls go through an Account, which
// keeps to the account's rate limit, pauses, circuit breaker and quota, and knows when an answer can be believed.
package account

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// Account is one connection to one account at one site. It does not change; another one replaces it. Its methods are safe
// for concurrent use.
type Account struct {
	key     types.NamespacedName
	driver  marketplace.Driver
	spec    *onebidv1.MarketplaceSpec
	settle  time.Duration
	limiter *Limiter
	listed  *listed
	clock   clock.Clock
	wall    clock.PassiveClock
	metrics *marketplace.Metrics
	// maxUnresponsive is how many workers may be used while the marketplace is unresponsive; 0 is any number.
	maxUnresponsive func() int
	cancel          context.CancelFunc
}

// Spec that the driver was built from. It must not be changed.
func (a *Account) Spec() *onebidv1.MarketplaceSpec { return a.spec }

// SettleTime is how long an unknown outcome is waited out before it is looked up.
func (a *Account) SettleTime() time.Duration { return a.settle }

// Timeout of one call.
func (a *Account) Timeout() time.Duration { return time.Duration(a.spec.TimeoutSeconds) * time.Second }

// Capabilities of the marketplace.
func (a *Account) Capabilities() marketplace.Capabilities { return a.driver.Capabilities() }

// Limiter is shared with the account's connections before and after this one.
func (a *Account) Limiter() *Limiter { return a.limiter }

// Acquire is false when an unresponsive marketplace already uses its share of the workers.
func (a *Account) Acquire() (release func(), ok bool) { return a.limiter.acquire(a.maxUnresponsive()) }
