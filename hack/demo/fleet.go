package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	processes []*process.Process
	starts    []*os.File // a scanner waits for a line here, and gives up when it is closed
	created   func(postingID string, at moment)
	following sync.WaitGroup

	mu    sync.Mutex
	count counts
}

// counts are what all scanners did so far: scanners that are ready, postings tried, and those that had a Bid already.
type counts struct{ ready, tried, refused int }

// launch starts the scanners. They wait for race. created is called for every Bid that the API server acknowledged to one of
// them, one call at a time.
func (st *stage) launch(created func(string, moment)) (*fleet, error) {
	f := &fleet{created: created}
	self, err := os.Executable()
	if err != nil {
		return f, err
	}
	for i, kubeconfig := range st.scanners {
		start, write, err := os.Pipe()
		if err != nil {
			return f, err
		}
		f.starts = append(f.starts, write)
		events, output := io.Pipe()
		name := fmt.Sprintf("scanner-%d", i+1)
		p, err := process.Start(process.Command{
			Name: name, Path: self, Log: filepath.Join(st.logs(), name+".log"), Stdin: start, Stdout: output,
			Args: []string{
				"scanner", "--kubeconfig=" + kubeconfig, "--namespace=" + st.place.namespace, "--marketplace=" + st.place.marketplace,
				"--number=" + strconv.Itoa(i), "--postings=" + strconv.Itoa(st.settings.postings),
				"--seed=" + strconv.FormatUint(st.settings.seed, 10),
			},
		})
		if err := errors.Join(err, start.Close()); err != nil {
			return f, err
		}
		f.processes = append(f.processes, p)
		f.following.Go(func() { f.follow(json.NewDecoder(events)) })
		go func() {
			<-p.Done()
			_ = output.Close()
		}()
	}
	return f, nil
}

// follow takes what a scanner prints.
func (f *fleet) follow(events *json.Decoder) {
	for {
		var e event
		if events.Decode(&e) != nil {
			return
		}
		f.mu.Lock()
		switch {
		case e.Posting == "":
			f.count.ready++
		case e.At == 0:
			f.count.tried++
			f.count.refused++
		default:
			f.count.tried++
			f.created(e.Posting, e.At)
		}
		f.mu.Unlock()
	}
}

// ready returns when every scanner waits for the start.
func (f *fleet) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, scannersReady, fmt.Errorf("the scanners were not ready after %s", scannersReady))
	defer cancel()
	return process.Await(ctx, pollInterval, func(context.Context) error {
		if n := f.counts().ready; n < len(f.processes) {
			return fmt.Errorf("%d are ready", n)
		}
		return nil
	}, f.processes...)
}

// race lets all scanners start at once.
func (f *fleet) race() error {
	for _, start := range f.starts {
		if _, err := start.WriteString("\n"); err != nil {
			return fmt.Errorf("starting the race: %w", err)
		}
	}
	return nil
}

// await returns when every scanner has tried every posting, and fails when one has not.
func (f *fleet) await(ctx context.Context) error {
	for _, p := range f.processes {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.Done():
		}
		if err := p.Err(); err != nil {
			return err
		}
	}
	f.following.Wait()
	return nil
}

// stop ends scanners that have not ended.
func (f *fleet) stop() {
	for _, p := range f.processes {
		p.Kill()
	}
	for _, start := range f.starts {
		_ = start.Close()
	}
}

func (f *fleet) counts() counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}
