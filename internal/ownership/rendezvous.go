package ownership

import (
	"crypto/sha256"
	"encoding/binary"
)

// rendezvous picks the member that acts first for a key, by highest random weight: the member for which the first eight
// bytes of SHA-256(member, NUL, key) are the largest number; the lesser name wins a tie. All who know the same members
// pick the same one, and when a member goes only its own keys move. Without members it returns "".
//
// It only saves work: two replicas that see different members may both act, and the Lease's compare-and-swap decides.
func rendezvous(members []string, key string) string {
	var best string
	var highest uint64
	for _, member := range members {
		sum := sha256.Sum256([]byte(member + "\x00" + key))
		weight := binary.BigEndian.Uint64(sum[:])
		if best == "" || weight > highest || (weight == highest && member < best) {
			best, highest = member, weight
		}
	}
	return best
}
