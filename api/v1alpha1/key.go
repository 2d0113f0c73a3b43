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
	// MaxMarketplaceLength bounds a marketplace's name, in characters.
	MaxMarketplaceLength = 40

	// MaxPostingIDBytes bounds a posting's ID, in bytes of UTF-8. With the longest marketplace name and two hex
	// digits a byte the name stays at 243 characters, under the 253 that an object's name may have, and its Lease's
	// under them too.
	MaxPostingIDBytes = 100

	// LeasePrefix begins the name of every posting's Lease.
	LeasePrefix = "bid-lock."

	lockKeyPrefix = "bid:lock:"
	hexMark       = "x."
)

var (
	dnsLabel    = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	lowerHex    = regexp.MustCompile(`^([0-9a-f]{2})+$`)
	errNotAName = "must be <marketplace>.<postingID>, or <marketplace>.x.<hex of the postingID>"
)

// Key is what makes a posting one posting: the marketplace and the ID that the marketplace gave it, spelled as the
// marketplace spells it. Together with the namespace it is unique; Name is its only legal spelling as an object name.
//
// Keys are compared byte for byte. No Unicode normalisation happens: two spellings that look alike are two postings,
// because the marketplace is the only one who knows whether they are the same.
// +kubebuilder:object:generate=false
type Key struct {
	// Marketplace is the name of the Marketplace object in the same namespace.
	Marketplace string
	// PostingID is the posting's ID at the marketplace.
	PostingID string
}

// KeyError says which part of a key is not legal, and what would be.
// +kubebuilder:object:generate=false
type KeyError struct {
	// Field is the part that is wrong: "marketplace", "postingID" or "name".
	Field string
	// Value is what was found there.
	Value string
	// Reason says what would be right; it begins with "must".
	Reason string
}

// Error names the field, the value and what would be right.
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

// Name is the one legal name of a Posting or Bid with this key: "<marketplace>.<postingID>" when the ID is a DNS
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

// LeaseName is the name of the posting's Lease, in the namespace of the Bid. The error is a *KeyError.
func (k Key) LeaseName() (string, error) {
	name, err := k.Name()
	if err != nil {
		return "", err
	}
	return LeasePrefix + name, nil
}

// LockKey is the human-readable key that the posting's Lease carries in AnnotationLockKey.
func (k Key) LockKey() string {
	return lockKeyPrefix + k.Marketplace + ":" + k.PostingID
}

// ParseName returns the key whose Name is the given one. Names that no key has, for example a hex form of an ID that
// would have a plain name, are refused with a *KeyError.
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
		raw, _ := hex.DecodeString(digits) // lowerHex leaves nothing that could fail
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
