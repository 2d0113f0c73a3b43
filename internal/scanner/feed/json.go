package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

func parseJSON(
	ctx context.Context, content []byte, pick func(context.Context, any) ([]any, error),
) ([]any, error) {
	value, err := decode(content)
	if err != nil {
		return nil, err
	}
	if pick != nil {
		return pick(ctx, value)
	}
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: must be a list, or feed.items must say where the list is, or feed.format must be JSONL", nameOf(value))
	}
	return list, nil
}

func parseLines(content []byte) ([]any, error) {
	var out []any
	number := 0
	for line := range bytes.Lines(content) {
		number++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		value, err := decode(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		out = append(out, value)
	}
	return out, nil
}

// decode reads exactly one JSON value.
func decode(content []byte) (any, error) {
	if !utf8.Valid(content) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, fmt.Errorf("not JSON, or cut short: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("not JSON: more follows after the value, at byte %d", d.InputOffset())
	}
	return plain(value)
}

// plain replaces numbers in place: whole ones by int64, others by float64.
func plain(value any) (any, error) {
	var err error
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		return v.Float64()
	case []any:
		for i := range v {
			if v[i], err = plain(v[i]); err != nil {
				return nil, err
			}
		}
	case Item:
		for key := range v {
			if v[key], err = plain(v[key]); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

func nameOf(value any) string {
	switch value.(type) {
	case Item:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a string"
	case bool:
		return "true or false"
	case nil:
		return "null"
	}
	return "a number"
}
