package wire

import (
	"net/url"
	"strings"
	"testing"
)

const fuzzSecret = "fuzz-s3cr3t"

// FuzzClean never lets a secret or a sentence of the proposal through, nor more than a line of bounded length.
func FuzzClean(f *testing.F) {
	const proposal = "We have done this for twenty years and know every stone on the way."
	escaped := url.QueryEscape(proposal)
	f.Add("before", "after")
	f.Add(fuzzSecret[:5], fuzzSecret[5:])
	f.Add(proposal[:20], proposal[40:])
	f.Add("\xff", "\x00\n")
	r := NewRedactor(nil, map[string]string{"token": fuzzSecret}, proposal)
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, said := range []string{before + fuzzSecret + after, before + proposal + after, before + after, before + escaped + after} {
			got := r.Clean(said)
			if strings.Contains(got, fuzzSecret) || len(got) > maxMessage || strings.ContainsAny(got, "\n\x00") {
				t.Fatalf("%q became %q", said, got)
			}
			for i := 0; i+2*stretch <= len(proposal); i++ {
				if strings.Contains(got, proposal[i:i+2*stretch]) || strings.Contains(got, escaped[i:i+2*stretch]) {
					t.Fatalf("%q became %q", said, got)
				}
			}
		}
	})
}
