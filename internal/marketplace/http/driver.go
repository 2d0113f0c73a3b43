package httpdriver

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// Driver is a marketplace.Driver by description. Make it with New, close it when it is no longer used.
type Driver struct {
	base    string
	plan    *plan
	tokens  *tokens // nil without oauth2
	signer  *signer // nil without hmac
	secrets map[string]string
	key     string // idempotency header
	options wire.Options
	sender  *wire.Sender

	mu      sync.Mutex
	account string // once known
}

var _ marketplace.Driver = (*Driver)(nil)

// New compiles the spec. It makes no call. The error joins a *marketplace.FieldError for each mistake and holds no secret.
func New(_ context.Context, spec *onebidv1.HTTPDriver, credentials map[string][]byte, o wire.Options) (*Driver, error) {
	o = o.WithDefaults()
	secrets, err := readSecrets(credentials)
	if err != nil {
		return nil, err
	}
	p, err := compileSpec(spec, secrets, o.Egress)
	if err != nil {
		return nil, err
	}
	d := &Driver{
		base: strings.TrimRight(spec.BaseURL, "/"), plan: p, tokens: p.tokens, signer: p.signer, secrets: secrets,
		key: spec.IdempotencyHeader, options: o, sender: wire.NewSender(o),
	}
	if d.tokens != nil {
		d.tokens.client, d.tokens.now = d.sender.TokenClient(), o.Now
	}
	return d, nil
}

// Factory builds drivers for Marketplaces with spec.http, each with its own timeout.
func Factory(o wire.Options) marketplace.Factory {
	return func(
		ctx context.Context, spec *onebidv1.MarketplaceSpec, credentials map[string][]byte,
	) (marketplace.Driver, error) {
		if spec.HTTP == nil {
			return nil, &marketplace.FieldError{Field: root, Reason: "must be given"}
		}
		mine := o
		mine.Timeout = time.Duration(spec.TimeoutSeconds) * time.Second
		d, err := New(ctx, spec.HTTP, credentials, mine)
		if err != nil {
			return nil, err
		}
		return d, nil
	}
}

func readSecrets(credentials map[string][]byte) (map[string]string, error) {
	out := map[string]string{}
	for key, value := range credentials {
		if !utf8.Valid(value) {
			return nil, &marketplace.FieldError{Field: "spec.credentialsSecretRef", Reason: fmt.Sprintf("the key %q must hold text", key)}
		}
		out[key] = strings.TrimRight(string(value), "\r\n")
	}
	return out, nil
}

// Close drops idle connections. Calls under way go on.
func (d *Driver) Close() error {
	d.sender.Close()
	return nil
}
