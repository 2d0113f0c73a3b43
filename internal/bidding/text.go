package bidding

import (
	"strings"
	"unicode/utf8"
)

// clean returns valid UTF-8 of at most limit bytes, cut between characters.
func clean(s string, limit int) string { return cut(strings.ToValidUTF8(s, "\uFFFD"), limit) }

// cut shortens a text to limit bytes, between characters.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
