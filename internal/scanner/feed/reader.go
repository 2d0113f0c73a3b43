package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// Item is one entry of a feed: a JSON object, with whole numbers as int64 and others as float64.
type Item = map[string]any

// Options of a Reader. Location is needed.
type Options struct {
	// Location is an http or https URL, the path of a file, or "-" for standard input.
	Location string
	// Format of the feed. Auto when empty.
	Format Format
	// Select finds the items in a JSON document. Nil expects the document itself to be a list.
	Select func(ctx context.Context, document any) ([]any, error)
	// Headers of each request.
	Headers []Header
	// Timeout of a request, its body included. None when zero.
	Timeout time.Duration
	// UserAgent of each request.
	UserAgent string
	// Stdin is read when Location is "-".
	Stdin io.Reader
}

// Reading is what a feed held when it was read.
type Reading struct {
	Items []Item
	// At is when the request was sent.
	At time.Time
	// Unchanged: the server said that the items are those of the last reading.
	Unchanged bool
}

// Reader reads one feed, again and again. It is for one goroutine.
type Reader struct {
	source source
	parser parser
	last   []Item
	now    func() time.Time
}

// NewReader reads nothing yet.
func NewReader(o Options) (*Reader, error) {
	format, err := o.Format.known()
	if err != nil {
		return nil, err
	}
	in, err := open(o)
	if err != nil {
		return nil, err
	}
	return &Reader{source: in, parser: parser{format: format, pick: o.Select}, now: time.Now}, nil
}

// String says where the feed is, without secrets.
func (r *Reader) String() string { return r.source.String() }

// Read returns all items of the feed, or an error that says what is wrong with it, and then no item. A *RetryError says
// when to try again.
func (r *Reader) Read(ctx context.Context) (Reading, error) {
	at := r.now()
	doc, err := r.source.read(ctx)
	if err != nil {
		return Reading{}, fmt.Errorf("feed %s: %w", r.source, err)
	}
	if doc.unchanged {
		return Reading{Items: r.last, At: at, Unchanged: true}, nil
	}
	items, err := r.parser.parse(ctx, doc)
	if err != nil {
		return Reading{}, fmt.Errorf("feed %s: %w", r.source, err)
	}
	doc.accept()
	r.last = items
	return Reading{Items: items, At: at}, nil
}

// Once is true for a location that can be read only once.
func Once(location string) bool { return location == "-" }

// open chooses by the spelling: "-", an http or https URL, else a file.
func open(o Options) (source, error) {
	if Once(o.Location) {
		return &stdin{in: o.Stdin}, nil
	}
	if !strings.Contains(o.Location, "://") {
		return file(o.Location), nil
	}
	address, err := url.Parse(o.Location)
	if err != nil {
		// The error would spell it out, and it may hold a password.
		return nil, errors.New("location: must be an http or https URL that can be read, a file, or - for standard input")
	}
	if (address.Scheme != "http" && address.Scheme != "https") || address.Host == "" {
		return nil, fmt.Errorf("location: invalid value %q: must be an http or https URL, a file, or - for standard input",
			address.Redacted())
	}
	return newWeb(address, o), nil
}
