package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/onebid-dev/onebid/internal/testenv/process"
)

const scannersReady = 60 * time.Second

// fleet is the scanner processes. Each runs this very binary with a login of its own.
type fleet struct {
	scanners []*member

	mu      sync.Mutex
	created func(postingID string, at moment)
}

// member is one scanner process and what it last said.
type member struct {
	process *process.Process
	fleet   *fleet
	start   *os.File // the scanner waits for a line here, and gives up when it is closed
	rest    []byte   // a line that has not ended yet

	// guarded by fleet.mu
	last event
	err  error
}

// launch starts the scanners. They wait for race. created is called for every Bid that the API server acknowledged to one of
// them, one call at a time.
func (st *stage) launch(created func(string, moment)) (*fleet, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this binary: %w", err)
	}
	f := &fleet{created: created}
	for i, kubeconfig := range st.scanners {
		read, write, err := os.Pipe()
		if err != nil {
			return nil, fmt.Errorf("making a pipe: %w", err)
		}
		m := &member{fleet: f, start: write}
		name := fmt.Sprintf("scanner-%d", i+1)
		m.process, err = process.Start(process.Command{
			Name: name, Path: self, Log: filepath.Join(st.dir, name+".log"),
			Args: []string{
				"scanner", "--kubeconfig=" + kubeconfig, "--namespace=" + st.place.namespace, "--marketplace=" + st.place.marketplace,
				"--number=" + strconv.Itoa(i), "--postings=" + strconv.Itoa(st.settings.postings),
				"--seed=" + strconv.FormatUint(st.settings.seed, 10),
			},
			Stdin: read, Stdout: m,
		})
		if err := errors.Join(err, read.Close()); err != nil {
			f.stop()
			return nil, err
		}
		f.scanners = append(f.scanners, m)
	}
	return f, nil
}

// stop ends scanners that have not ended, which give up when nothing can start them any more.
func (f *fleet) stop() {
	for _, m := range f.scanners {
		_ = m.start.Close()
		<-m.process.Done()
	}
}

// Write takes what the scanner prints.
func (m *member) Write(text []byte) (int, error) {
	m.rest = append(m.rest, text...)
	for {
		line, rest, found := bytes.Cut(m.rest, []byte("\n"))
		if !found {
			return len(text), nil
		}
		m.take(line)
		m.rest = rest
	}
}

func (m *member) take(line []byte) {
	m.fleet.mu.Lock()
	defer m.fleet.mu.Unlock()
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		m.err = fmt.Errorf("%s said something else than an event: %q", m.process.Name, line)
		return
	}
	m.last = e
	if e.Created != "" {
		m.fleet.created(e.Created, e.At)
	}
}

// ready returns when every scanner waits for the start.
func (f *fleet) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, scannersReady, fmt.Errorf("the scanners were not ready after %s", scannersReady))
	defer cancel()
	for _, m := range f.scanners {
		err := process.Await(ctx, 20*time.Millisecond, func(context.Context) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if !m.last.Ready {
				return fmt.Errorf("%s has not reported", m.process.Name)
			}
			return nil
		}, m.process)
		if err != nil {
			return err
		}
	}
	return nil
}

// race lets all scanners start at once.
func (f *fleet) race() error {
	for _, m := range f.scanners {
		if _, err := m.start.WriteString("\n"); err != nil {
			return fmt.Errorf("starting the race: %w", err)
		}
	}
	return nil
}

// await returns when every scanner is through, and fails when one is not.
func (f *fleet) await(ctx context.Context) error {
	for _, m := range f.scanners {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.process.Done():
		}
		f.mu.Lock()
		done, err := m.last.Done, m.err
		f.mu.Unlock()
		if err := errors.Join(err, m.process.Err()); err != nil {
			return err
		}
		if !done {
			return fmt.Errorf("%s ended before it was through", m.process.Name)
		}
	}
	return nil
}

// count sums up what the scanners did so far.
func (f *fleet) count() (sum event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.scanners {
		sum.Tried += m.last.Tried
		sum.Refused += m.last.Refused
		sum.Retried += m.last.Retried
	}
	return sum
}
