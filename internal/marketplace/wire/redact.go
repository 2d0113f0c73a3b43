package wire

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxMessage = 512
	mark       = "[…]"
	// stretch is how many bytes in a row, found in the proposal too, are taken for a quotation of it.
	stretch = 16
)

// Redactor takes out of a text what no log, event or status may hold. The zero value bounds its length.
type Redactor struct {
	secrets  []string
	proposal string
}

// NewRedactor hides the secrets, what was computed from them for the message, which may be nil, and the proposal.
func NewRedactor(m *Message, secrets map[string]string, proposal string) Redactor {
	known := slices.Collect(maps.Values(secrets))
	if m != nil {
		known = append(known, m.Sensitive...)
	}
	return Redactor{proposal: proposal}.With(known...)
}

// With gives a redactor that hides further secrets too.
func (r Redactor) With(more ...string) Redactor {
	out := Redactor{secrets: slices.Clone(r.secrets), proposal: r.proposal}
	for _, s := range more {
		if s != "" {
			out.secrets = append(out.secrets, s, url.QueryEscape(s), url.PathEscape(s))
		}
	}
	// The long ones first, or a short one could cut a long one in pieces that stay.
	slices.SortFunc(out.secrets, func(a, b string) int { return len(b) - len(a) })
	return out
}

// Clean gives one line of bounded length without secrets, proposal and control characters.
func (r Redactor) Clean(s string) string {
	s = strings.ToValidUTF8(s, "�")
	for _, secret := range r.secrets {
		s = strings.ReplaceAll(s, secret, mark)
	}
	s = without(s, r.proposal)
	s = without(s, url.QueryEscape(r.proposal)) // as forms have it
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, s)
	return Cut(strings.Join(strings.Fields(s), " "), maxMessage)
}

// without marks every stretch of the text that the proposal holds too.
func without(s, proposal string) string {
	if proposal == "" {
		return s
	}
	if len(proposal) <= stretch {
		return strings.ReplaceAll(s, proposal, mark)
	}
	s = Cut(s, 4*maxMessage)
	var out strings.Builder
	for i := 0; i < len(s); {
		n := 0
		for i+n+stretch <= len(s) && strings.Contains(proposal, s[i+n:i+n+stretch]) {
			n++
		}
		if n > 0 {
			out.WriteString(mark)
			i += n + stretch - 1
			continue
		}
		out.WriteByte(s[i])
		i++
	}
	return strings.ToValidUTF8(out.String(), "")
}

// Cut shortens a text to so many bytes, between characters.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// wordsOf finds a marketplace's own code and words in the usual places of a reply.
func wordsOf(body any) string {
	for _, path := range []string{"error", "errors"} {
		if m, ok := body.(map[string]any); ok {
			if l, ok := m[path].([]any); ok && len(l) > 0 {
				m[path] = l[0]
			}
			if inner, ok := m[path].(map[string]any); ok {
				if words := wordsOf(inner); words != "" {
					return words
				}
			}
		}
	}
	m, ok := body.(map[string]any)
	if !ok {
		return ""
	}
	var found []string
	for _, name := range []string{"error_code", "code", "error", "type", "title", "message", "detail", "error_description"} {
		if s, ok := m[name].(string); ok && s != "" && !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	return strings.Join(found, ": ")
}
