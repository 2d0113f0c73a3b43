package marketsim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// ReadLedger returns the records of a ledger file, oldest first. A last line that was cut short is left out. It may be
// called while a server appends to the file. Errors name the line that is wrong.
func ReadLedger(path string) ([]Record, error) {
	f, err := os.Open(path) //nolint:gosec // G304: the caller names the file; that is what the function is for
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	defer func() { _ = f.Close() }()
	var records []Record
	_, err = scan(f, func(r Record, _ int64) { records = append(records, r) })
	if err != nil {
		return nil, fmt.Errorf("reading the ledger %s: %w", path, err)
	}
	return records, nil
}

// scan calls see with every whole record and the offset of its line, and returns the offset behind the last one.
func scan(in io.Reader, see func(r Record, offset int64)) (int64, error) {
	var offset, line int64
	buffered := bufio.NewReaderSize(in, 1<<16)
	for {
		text, err := buffered.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return offset, nil // what is left has no newline: it was cut short and never answered
		}
		if err != nil {
			return 0, err
		}
		line++
		var r Record
		if err := json.Unmarshal(text, &r); err != nil {
			return 0, fmt.Errorf("line %d is not a record: %w", line, err)
		}
		if r.Seq != line {
			return 0, fmt.Errorf("line %d has seq %d: the file was edited or two processes wrote to it", line, r.Seq)
		}
		see(r, offset)
		offset += int64(len(text))
	}
}

var errLedgerClosed = errors.New("the ledger is closed")

// ledger is the file of records and what is known about all of them together. It is safe for concurrent use.
type ledger struct {
	now func() time.Time

	mu      sync.Mutex
	file    *os.File
	starts  []int64 // starts[i] is where the record with seq i+1 begins
	end     int64   // the size of the file
	summary *Summarizer
	closed  bool
}

// openLedger opens or creates the file and locks it. Call load before the first append.
func openLedger(path string, now func() time.Time) (*ledger, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600) //nolint:gosec // G304: as in ReadLedger
	if err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	if err := lockFile(file); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("the ledger %s is in use by another server: %w", path, err)
	}
	return &ledger{now: now, file: file, summary: NewSummarizer()}, nil
}

// load reads the file from its beginning, hands every record to apply and forgets what it knew before.
func (l *ledger) load(apply func(Record)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.starts, l.summary = nil, NewSummarizer()
	info, err := l.file.Stat()
	if err != nil {
		return fmt.Errorf("reading the ledger: %w", err)
	}
	l.end, err = scan(io.NewSectionReader(l.file, 0, info.Size()), func(r Record, offset int64) {
		l.starts = append(l.starts, offset)
		l.summary.Add(r)
		apply(r)
	})
	if err != nil {
		return fmt.Errorf("reading the ledger %s: %w", l.file.Name(), err)
	}
	if l.end == info.Size() {
		return nil
	}
	if err := l.file.Truncate(l.end); err != nil {
		return fmt.Errorf("removing the cut last line of the ledger: %w", err)
	}
	return nil
}

// append gives the record its seq and time and writes it. When it fails, the ledger is as it was before.
func (l *ledger) append(r Record) (Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return r, errLedgerClosed
	}
	r.Seq = int64(len(l.starts)) + 1
	r.Time = l.now().UTC()
	line, err := json.Marshal(r)
	if err != nil {
		return r, fmt.Errorf("writing the ledger: %w", err)
	}
	line = append(line, '\n')
	if _, err := l.file.Write(line); err != nil {
		// Half a line would make the next one unreadable.
		return r, errors.Join(fmt.Errorf("writing the ledger: %w", err), l.file.Truncate(l.end))
	}
	l.starts = append(l.starts, l.end)
	l.end += int64(len(line))
	l.summary.Add(r)
	return r, nil
}

// lines returns the raw lines of at most limit records that come after the record with seq after.
func (l *ledger) lines(after int64, limit int) ([]byte, error) {
	l.mu.Lock()
	count := int64(len(l.starts))
	if l.closed || after >= count || limit <= 0 {
		l.mu.Unlock()
		return nil, nil
	}
	from, to := l.starts[after], l.end
	if last := after + int64(limit); last < count {
		to = l.starts[last]
	}
	l.mu.Unlock()
	// What was written never changes, so reading needs no lock.
	var out bytes.Buffer
	if _, err := io.Copy(&out, io.NewSectionReader(l.file, from, to-from)); err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	return out.Bytes(), nil
}

func (l *ledger) summarize(market string) Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.summary.Summary(market)
}

func (l *ledger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	return l.file.Close()
}
