package feed

import (
	"context"
	"fmt"
	"io"
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
	// At is when it was asked for.
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
