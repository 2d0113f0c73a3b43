package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	redrawEvery = 250 * time.Millisecond
	printEvery  = 3 * time.Second
)

// status is what the screen shows at one moment.
type status struct {
	phase    string
	scanners counts
	bids     tally
	live     int
	managers string
}

// progress shows the status again and again: as one block that is redrawn on a terminal, as single lines elsewhere. It is
// safe for concurrent use.
type progress struct {
	out      io.Writer
	terminal bool
	started  time.Time
	settings settings
	read     func() status

	mu    sync.Mutex
	drawn int // lines of the block on the screen
	stop  chan struct{}
	ended sync.WaitGroup
}

// isTerminal reports whether a block can be redrawn there.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
}

// say prints one line that stays.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.out, "%7s  %s\n", clockTime(time.Since(p.started)), fmt.Sprintf(format, args...))
}

// begin shows what read returns until end is called.
func (p *progress) begin(read func() status) {
	p.read, p.stop = read, make(chan struct{})
	every := printEvery
	if p.terminal {
		every = redrawEvery
	}
	p.ended.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-tick.C:
				p.show()
			}
		}
	})
}

// end shows the status for the last time.
func (p *progress) end() {
	close(p.stop)
	p.ended.Wait()
	p.show()
	p.drawn = 0 // the last block stays
}

func (p *progress) show() {
	s := p.read()
	p.mu.Lock()
	defer p.mu.Unlock()
	elapsed := time.Since(p.started)
	if !p.terminal {
		fmt.Fprintf(p.out, "%7s  %s: %s created, %s duplicates refused, %s active, %s withdrawn, %s live there, %s\n",
			clockTime(elapsed), s.phase, grouped(s.bids.created), grouped(s.scanners.refused), grouped(s.bids.active),
			grouped(s.bids.withdrawn), grouped(s.live), s.managers)
		return
	}
	p.clear()
	lines := p.block(s, elapsed)
	fmt.Fprint(p.out, strings.Join(lines, "\n")+"\n")
	p.drawn = len(lines)
}

// clear takes the block off the screen. The caller holds the lock.
func (p *progress) clear() {
	if p.drawn > 0 {
		fmt.Fprintf(p.out, "\033[%dA\033[J", p.drawn)
		p.drawn = 0
	}
}

func (p *progress) block(s status, elapsed time.Duration) []string {
	row := func(label, value string) string { return fmt.Sprintf("    %-24s %s", label, value) }
	of := func(n, all int) string { return fmt.Sprintf("%7s of %s", grouped(n), grouped(all)) }
	return []string{
		"",
		row("phase", s.phase),
		row("elapsed", clockTime(elapsed)),
		row("creates tried", of(s.scanners.tried, p.settings.scanners*p.settings.postings)),
		row("Bids created", of(s.bids.created, p.settings.postings)),
		row("duplicates refused", fmt.Sprintf("%7s", grouped(s.scanners.refused))),
		row("Active", fmt.Sprintf("%7s", grouped(s.bids.active))),
		row("withdrawn", of(s.bids.withdrawn, p.settings.withdraw)),
		row("live at the marketplace", fmt.Sprintf("%7s", grouped(s.live))),
		row("managers", s.managers),
	}
}

// clockTime is the time since the start, as in "1:03.2".
func clockTime(d time.Duration) string {
	d = d.Round(100 * time.Millisecond)
	return fmt.Sprintf("%d:%04.1f", int(d.Minutes()), (d % time.Minute).Seconds())
}
