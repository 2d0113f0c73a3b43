package feed

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"github.com/mmcdole/gofeed"
	"golang.org/x/net/html/charset"
)

// parseXML gives the entries of RSS or Atom with the fields of gofeed.Item: guid, title, link, description, content,
// categories, published, updated, author, extensions.
func parseXML(content []byte) ([]any, error) {
	if err := wellFormed(content); err != nil {
		return nil, err
	}
	parsed, err := gofeed.NewParser().Parse(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("neither RSS nor Atom: %w", err)
	}
	entries := make([]any, 0, len(parsed.Items))
	for _, item := range parsed.Items {
		text, err := json.Marshal(item)
		if err != nil {
			return nil, err
		}
		entry, err := decode(text)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// wellFormed reads to the end: the parser of feeds is lenient, and takes one that was cut short for a shorter one.
func wellFormed(content []byte) error {
	d := xml.NewDecoder(bytes.NewReader(content))
	d.Entity = xml.HTMLEntity
	d.CharsetReader = charset.NewReaderLabel
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("not well-formed XML, or cut short: %w", err)
		}
	}
}
