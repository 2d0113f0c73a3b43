package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// postingIDs returns n different IDs in the spellings of real marketplaces: numbers, Upwork's "~01…", UUIDs in both
// letter cases, IDs that differ only in letter case from the one before, and IDs beyond ASCII. The same seed gives the
// same IDs, so every process can make them by itself.
func postingIDs(seed uint64, n int) []string {
	random := rand.New(rand.NewPCG(seed, 0))
	ids := make([]string, n)
	for i := range ids {
		switch i % 8 {
		case 0, 1:
			ids[i] = fmt.Sprint(39_000_000 + i)
		case 2:
			ids[i] = fmt.Sprintf("~01%012x%06x", random.Uint64()>>16, i)
		case 3:
			ids[i] = uuid(random, i)
		case 4:
			ids[i] = strings.ToUpper(uuid(random, i))
		case 5:
			ids[i] = fmt.Sprintf("Job-%dXy", i)
		case 6:
			ids[i] = strings.ToLower(ids[i-1])
		case 7:
			ids[i] = fmt.Sprintf("%s/%d", []string{"груз", "案件", "Überführung", "🚚 load"}[random.IntN(4)], i)
		}
	}
	return ids
}

func uuid(random *rand.Rand, i int) string {
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x",
		random.Uint32(), random.Uint32()>>16, random.Uint32()>>20, random.Uint32()>>20, i)
}

// scannerOrder is the order in which a scanner finds the postings, as indexes.
func scannerOrder(seed uint64, scanner, n int) []int {
	return rand.New(rand.NewPCG(seed, uint64(scanner)+1)).Perm(n)
}

// withdrawals chooses how many postings to withdraw: half by delete and half by spec.withdraw.
func withdrawals(seed uint64, postings []string, count int) (byDelete, bySpec []string) {
	random := rand.New(rand.NewPCG(seed, 1<<32))
	for _, i := range random.Perm(len(postings))[:count] {
		if len(byDelete) < count/2 {
			byDelete = append(byDelete, postings[i])
		} else {
			bySpec = append(bySpec, postings[i])
		}
	}
	return byDelete, bySpec
}
