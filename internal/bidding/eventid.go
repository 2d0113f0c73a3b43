package bidding

import (
	"crypto/sha256"
	"encoding/hex"

	"k8s.io/apimachinery/pkg/types"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// IdempotencyKey is what a marketplace that honours keys gets with every attempt of one Bid: stable over attempts and
// take-overs, new for a Bid that was deleted and created again. NUL bytes part the fields; none of them can hold one,
// so no two different Bids share a key.
func IdempotencyKey(namespace string, key onebidv1.Key, uid types.UID) string {
	sum := sha256.Sum256([]byte(namespace + "\x00" + key.Marketplace + "\x00" + key.PostingID + "\x00" + string(uid)))
	return hex.EncodeToString(sum[:])
}

// KeyOf is the posting that a Bid is for.
func KeyOf(bid *onebidv1.Bid) onebidv1.Key {
	return onebidv1.Key{Marketplace: bid.Spec.Marketplace, PostingID: bid.Spec.PostingID}
}
