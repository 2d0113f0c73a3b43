package v1alpha1

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxMarketplaceLength is the maximal length of a Marketplace's name, in characters.
	MaxMarketplaceLength = 40

	// MaxPostingIDBytes is the maximal length of a posting's ID, in bytes of UTF-8. With two hex digits per byte, the
	// longest name has 243 characters and its Lease's 252; object names are limited to 253.
	MaxPostingIDBytes = 100

	// LeasePrefix is the prefix of the names of posting Leases.
	LeasePrefix = "bid-lock."

	lockKeyPrefix = "bid:lock:"
	hexMark       = "x."
)

var (
	dnsLabel    = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	lowerHex    = regexp.MustCompile(`^([0-9a-f]{2})+$`)
	errNotAName = "must be <marketplace>.<postingID>, or <marketplace>.x.<hex of the postingID>"
)

// Key identifies a posting within a namespace: the marketplace, and the marketplace's ID of the posting in its own spelling.
// Name is its only legal object name.
//
// Keys are compared byte for byte, without Unicode normalisation: only the marketplace knows whether two spellings mean the
// same posting.
// +kubebuilder:object:generate=false
type Key struct {
	// Marketplace is the name of the Marketplace object in the same namespace.
	Marketplace string
	// PostingID is the posting's ID at the marketplace.
	PostingID string
}

// KeyError says which part of a key is not legal, and what is.
// +kubebuilder:object:generate=false
type KeyError struct {
	// Field is the part that is wrong: "marketplace", "postingID" or "name".
	Field string
	// Value of that part.
	Value string
	// Reason says what is legal; it begins with "must".
	Reason string
}

// Error names the field, the value and the rule.
func (e *KeyError) Error() string {
	return fmt.Sprintf("%s: invalid value %q: %s", e.Field, e.Value, e.Reason)
}

// Validate returns a *KeyError when the key has no legal name, otherwise nil.
func (k Key) Validate() error {
	if len(k.Marketplace) > MaxMarketplaceLength || !dnsLabel.MatchString(k.Marketplace) {
		return &KeyError{"marketplace", k.Marketplace, fmt.Sprintf(
			"must be a DNS label of at most %d characters: lower-case letters, digits and inner hyphens", MaxMarketplaceLength)}
	}
	return validatePostingID(k.PostingID)
}

func validatePostingID(id string) error {
	switch {
	case id == "" || len(id) > MaxPostingIDBytes:
		return &KeyError{"postingID", id, fmt.Sprintf("must be 1 to %d bytes long", MaxPostingIDBytes)}
	case !utf8.ValidString(id):
		return &KeyError{"postingID", id, "must be valid UTF-8"}
	case strings.ContainsFunc(id, unicode.IsControl):
		return &KeyError{"postingID", id, "must not contain control characters"}
	}
	return nil
}

// Name returns the one legal name of a Posting or Bid with this key: "<marketplace>.<postingID>" when the ID is a DNS
// label, else "<marketplace>.x.<lower-case hex of its UTF-8 bytes>". It is injective, so two keys never share a name,
// and ParseName reverses it. The error is a *KeyError.
func (k Key) Name() (string, error) {
	if err := k.Validate(); err != nil {
		return "", err
	}
	if dnsLabel.MatchString(k.PostingID) {
		return k.Marketplace + "." + k.PostingID, nil
	}
	return k.Marketplace + "." + hexMark + hex.EncodeToString([]byte(k.PostingID)), nil
}

// LeaseName returns the name of the posting's Lease, in the namespace of the Bid. The error is a *KeyError.
func (k Key) LeaseName() (string, error) {
	name, err := k.Name()
	if err != nil {
		return "", err
	}
	return LeasePrefix + name, nil
}

// LockKey returns the readable key, the value of AnnotationLockKey on the posting's Lease.
func (k Key) LockKey() string {
	return lockKeyPrefix + k.Marketplace + ":" + k.PostingID
}

// ParseName is the inverse of Name. A name that no key has, such as the hex form of an ID with a plain name, is refused with
// a *KeyError.
func ParseName(name string) (Key, error) {
	marketplace, id, found := strings.Cut(name, ".")
	if !found {
		return Key{}, &KeyError{"name", name, errNotAName}
	}
	// A plain ID holds no dot, so "x." can only begin the hex form.
	if digits, isHex := strings.CutPrefix(id, hexMark); isHex {
		if !lowerHex.MatchString(digits) {
			return Key{}, &KeyError{"name", name, errNotAName}
		}
		raw, _ := hex.DecodeString(digits) // lowerHex matched, so this cannot fail
		id = string(raw)
	}
	key := Key{Marketplace: marketplace, PostingID: id}
	canonical, err := key.Name()
	if err != nil {
		return Key{}, err
	}
	if canonical != name {
		return Key{}, &KeyError{"name", name, fmt.Sprintf("must be %q, the one name of this posting", canonical)}
	}
	return key, nil
}
