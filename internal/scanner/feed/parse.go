package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"
)

// Format is how a feed is written.
type Format string

// The formats.
const (
	// Auto goes by what the server says, and else by how the content begins.
	Auto Format = "Auto"
	// JSON is one document: a list of objects, or something with such a list in it.
	JSON Format = "JSON"
	// JSONL is one object a line.
	JSONL Format = "JSONL"
	// XML is RSS, RDF or Atom.
	XML Format = "XML"
)

func (f Format) known() (Format, error) {
	switch f {
	case "":
		return Auto, nil
	case Auto, JSON, JSONL, XML:
		return f, nil
	}
	return "", fmt.Errorf("format: invalid value %q: must be Auto, JSON, JSONL or XML (for RSS and Atom)", string(f))
}

type parser struct {
	format Format
	pick   func(context.Context, any) ([]any, error)
}

// parse returns all items, or an error when anything at all is wrong.
func (p parser) parse(ctx context.Context, doc document) ([]Item, error) {
	content := bytes.TrimPrefix(doc.content, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(content)) == 0 {
		return nil, errors.New("empty: a feed without postings is an empty list, not nothing")
	}
	format, err := p.choose(doc.contentType, content)
	if err != nil {
		return nil, err
	}
	var entries []any
	switch format {
	case JSONL:
		entries, err = parseLines(content)
	case XML:
		entries, err = parseXML(content)
	default:
		entries, err = parseJSON(ctx, content, p.pick)
	}
	if err != nil {
		return nil, err
	}
	return objects(entries)
}

// objects refuses what is no object, and too many.
func objects(entries []any) ([]Item, error) {
	if len(entries) > maxItems {
		return nil, fmt.Errorf("%d items: must be at most %d", len(entries), maxItems)
	}
	items := make([]Item, 0, len(entries))
	for i, entry := range entries {
		item, ok := entry.(Item)
		if !ok {
			return nil, fmt.Errorf("item %d of %d is %s: must be an object", i+1, len(entries), nameOf(entry))
		}
		items = append(items, item)
	}
	return items, nil
}

// choose refuses a web page whatever is expected: it is a login form or an error, sent with 200 OK.
func (p parser) choose(contentType string, content []byte) (Format, error) {
	if isPage(contentType, content) {
		return "", errors.New("a web page, not a feed: does it ask for a login?")
	}
	if p.format != Auto {
		return p.format, nil
	}
	media, _, _ := mime.ParseMediaType(contentType)
	switch {
	case strings.Contains(media, "ndjson"), strings.Contains(media, "jsonl"), strings.Contains(media, "json-seq"):
		return JSONL, nil
	case strings.HasSuffix(media, "xml"):
		return XML, nil
	}
	return sniff(content)
}

func isPage(contentType string, content []byte) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	start := bytes.ToLower(bytes.TrimSpace(content[:min(len(content), 512)]))
	return media == "text/html" || media == "application/xhtml+xml" || bytes.HasPrefix(start, []byte("<!doctype html")) ||
		bytes.HasPrefix(start, []byte("<html"))
}

// sniff goes by the first character. Several lines that each are an object are JSONL.
func sniff(content []byte) (Format, error) {
	content = bytes.TrimSpace(content)
	switch content[0] {
	case '<':
		return XML, nil
	case '[':
		return JSON, nil
	case '{':
		first, rest, _ := bytes.Cut(content, []byte("\n"))
		if json.Valid(first) && len(rest) > 0 {
			return JSONL, nil
		}
		return JSON, nil
	}
	return "", fmt.Errorf("neither JSON nor XML: begins with %q", content[:min(len(content), 20)])
}
