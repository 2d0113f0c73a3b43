package httpdriver

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"time"

	"github.com/google/cel-go/cel"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/celeval"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

var payloadScope = celeval.Scope{"request": cel.ObjectType("request"), varNow: cel.TimestampType, "secret": stringMap}

// signer signs requests with a key that both sides know.
type signer struct {
	key     []byte
	hash    func() hash.Hash
	encode  func([]byte) string
	payload *celeval.Expression
}

func (c *compiler) hmac(h *onebidv1.HTTPHMAC) *signer {
	field := authField + ".hmac"
	s := &signer{
		key:  []byte(c.secretKey(field+".secretKey", h.SecretKey, "signingKey")),
		hash: sha256.New, encode: hex.EncodeToString,
		payload: c.needed(payloadScope, field+".payload", h.Payload, wantText),
	}
	if h.Algorithm == onebidv1.HMACSHA512 {
		s.hash = sha512.New
	}
	if h.Encoding == onebidv1.SignatureBase64 {
		s.encode = base64.StdEncoding.EncodeToString
	}
	if s.payload != nil {
		c.keys(s.payload)
	}
	return s
}

// moment is the time as expressions see it.
func moment(now time.Time) time.Time { return now.UTC().Truncate(time.Millisecond) }

// sign gives the signature of a request as it is about to be sent.
func (s *signer) sign(ctx context.Context, m *wire.Message, secrets map[string]string, now time.Time) (string, error) {
	payload, err := s.payload.Text(ctx, map[string]any{
		"request": map[string]any{
			"method": m.Method, "path": m.URL.EscapedPath(), "query": m.URL.RawQuery, "body": string(m.Body),
		},
		varNow: moment(now), "secret": secrets,
	})
	if err != nil {
		return "", err
	}
	mac := hmac.New(s.hash, s.key)
	_, _ = mac.Write([]byte(payload)) // a hash never fails
	return s.encode(mac.Sum(nil)), nil
}
