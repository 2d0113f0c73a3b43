// Package text shortens texts to what a field of the API takes.
package text

import (
	"strings"
	"unicode/utf8"
)

const ellipsis = "…"

// Cut shortens a text to a number of bytes, between two characters. What is not UTF-8 is replaced.
func Cut(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	end := max(most-len(ellipsis), 0)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

// CutRunes is Cut for a limit in characters, which is how the API server counts maxLength.
func CutRunes(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:max(most-1, 0)]) + ellipsis
}
