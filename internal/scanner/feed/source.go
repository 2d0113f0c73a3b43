package feed

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// MaxBytes bounds a feed, after decompression.
	MaxBytes = 32 << 20
	// maxItems bounds the postings of one feed.
	maxItems = 100_000
)

// document is a feed as it came.
type document struct {
	content []byte
	// contentType as the server says, if there is one.
	contentType string
	// unchanged: the server says that it is what it was when it was last accepted; there is no content.
	unchanged bool
	// accept is called once the content was understood. Only then may a later request be conditional on it.
	accept func()
}

// source is where a feed comes from.
type source interface {
	read(ctx context.Context) (document, error)
	// String names it without secrets.
	String() string
}

// file is read anew each time.
type file string

func (f file) read(context.Context) (document, error) {
	in, err := os.Open(string(f))
	if err != nil {
		return document{}, err
	}
	defer func() { _ = in.Close() }()
	info, err := in.Stat()
	if err != nil {
		return document{}, err
	}
	if info.IsDir() {
		return document{}, fmt.Errorf("%s is a folder: must be a file", f)
	}
	return whole(in)
}

func (f file) String() string { return string(f) }

// stdin gives what is left of it, so only the first reading gives anything.
type stdin struct{ in io.Reader }

// read returns when the context ends, although the reading itself cannot be interrupted.
func (s *stdin) read(ctx context.Context) (document, error) {
	type answer struct {
		doc document
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		doc, err := whole(s.in)
		answers <- answer{doc, err}
	}()
	select {
	case a := <-answers:
		return a.doc, a.err
	case <-ctx.Done():
		return document{}, ctx.Err()
	}
}

func (*stdin) String() string { return "standard input" }

func whole(in io.Reader) (document, error) {
	content, err := readAll(in)
	return document{content: content, accept: func() {}}, err
}

// readAll refuses what is too long: half a feed is none.
func readAll(in io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(in, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cut short after %d bytes: %w", len(content), err)
	}
	if len(content) > MaxBytes {
		return nil, fmt.Errorf("longer than %d MiB", MaxBytes>>20)
	}
	return content, nil
}

// RetryError is an error of a server that says when to ask again.
type RetryError struct {
	// After is how long to wait at least.
	After time.Duration
	Err   error
}

// Error is that of Err.
func (e *RetryError) Error() string { return e.Err.Error() }

// Unwrap gives Err.
func (e *RetryError) Unwrap() error { return e.Err }
