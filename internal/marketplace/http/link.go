package httpdriver

import (
	"errors"
	"net/url"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// linkNext gives the address of the next page out of the header Link of a reply (RFC 8288), "" when it names none. A header
// that cannot be read is an error, or the list would be cut short.
func linkNext(headers ref.Val) ref.Val {
	m, ok := headers.(traits.Mapper)
	if !ok {
		return types.MaybeNoSuchOverloadErr(headers)
	}
	value, found := m.Find(types.String("link"))
	if !found {
		return types.String("")
	}
	header, ok := value.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(value)
	}
	next, err := nextLink(string(header))
	if err != nil {
		return types.NewErr("linkNext(): must be given headers whose Link can be read: %v", err)
	}
	return types.String(next)
}

// nextLink finds the first link with the relation next. Links that are about something else (anchor) do not count.
func nextLink(header string) (string, error) {
	rest := trimList(header)
	for rest != "" {
		target, after, closed := strings.Cut(rest, ">")
		if !closed || !strings.HasPrefix(target, "<") {
			return "", errors.New("a link must be an address in angle brackets")
		}
		params, tail, err := linkParams(after)
		if err != nil {
			return "", err
		}
		_, elsewhere := params["anchor"]
		if !elsewhere && isNext(params["rel"]) {
			if _, err := url.Parse(target[1:]); err != nil {
				return "", errors.New("the next page must be a URL")
			}
			return target[1:], nil
		}
		rest = trimList(tail)
	}
	return "", nil
}

// trimList takes off what may stand before an element of a list.
func trimList(s string) string { return strings.TrimLeft(s, ", \t") }

func isNext(relations string) bool {
	for relation := range strings.FieldsSeq(relations) {
		if strings.EqualFold(relation, "next") {
			return true
		}
	}
	return false
}

// linkParams reads the parameters of one link, up to the comma before the next. Of several with one name the first counts.
func linkParams(s string) (params map[string]string, tail string, err error) {
	params = map[string]string{}
	for {
		s = strings.TrimLeft(s, " \t")
		switch {
		case s == "" || s[0] == ',':
			return params, s, nil
		case s[0] != ';':
			return nil, "", errors.New("parameters of a link must begin with a semicolon")
		}
		s = strings.TrimLeft(s[1:], " \t")
		end := strings.IndexAny(s, "=;,")
		if end < 0 {
			end = len(s)
		}
		name := strings.ToLower(strings.TrimRight(s[:end], " \t"))
		var value string
		if s = s[end:]; strings.HasPrefix(s, "=") {
			if value, s, err = linkValue(strings.TrimLeft(s[1:], " \t")); err != nil {
				return nil, "", err
			}
		}
		if _, before := params[name]; !before {
			params[name] = value
		}
	}
}

// linkValue reads a token or a quoted string.
func linkValue(s string) (value, tail string, err error) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ";, \t")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], nil
	}
	var out strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return out.String(), s[i+1:], nil
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		out.WriteByte(s[i])
	}
	return "", "", errors.New("a quotation in a link must end")
}
