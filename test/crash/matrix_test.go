package crash_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/failpoint"
)

// TestMatrix plays the cells, each with what it needs from a crew that waits for the next one.
func TestMatrix(t *testing.T) {
	all := selected(cells())
	if !*full && *only == "" {
		all = few(all)
	}
	r := newReport(len(all))
	t.Cleanup(func() {
		if err := r.write(); err != nil {
			t.Error(err)
		}
	})
	queues := map[onebidv1.MarketplaceClass]chan numbered{}
	for _, class := range classes {
		queues[class] = make(chan numbered, len(all))
	}
	for i, c := range all {
		queues[c.class] <- numbered{i, c}
	}
	for i := range *crews {
		class := classes[i%len(classes)]
		t.Run(fmt.Sprintf("crew-%d", i+1), func(t *testing.T) {
			t.Parallel()
			work(t, class, queues[class], r)
		})
	}
}

// numbered is a cell with its place in the order, which names its posting.
type numbered struct {
	number int
	cell   cell
}

// work plays cells until there are none left. After a failure a new crew goes on: nobody knows what the old one is up to.
func work(t *testing.T, class onebidv1.MarketplaceClass, queue <-chan numbered, r *report) {
	t.Helper()
	var c *crew
	for {
		select {
		case n := <-queue:
			if c == nil {
				c = newCrew(t, class)
			}
			start := time.Now()
			ok := t.Run(n.cell.String(), func(t *testing.T) { perform(t, c, n) })
			r.add(n.cell, time.Since(start), !ok)
			if !ok {
				c.disband()
				c = nil
			}
		default:
			return
		}
	}
}

func perform(t *testing.T, c *crew, n numbered) {
	t.Helper()
	home := *c.Tenant
	defer func() { c.T, c.G = home.T, home.G }()
	s := newScene(t, c, n)
	defer s.keepIfFailed()
	s.play()
}

// newScene makes what the crew does from now on part of a test.
func newScene(t *testing.T, c *crew, n numbered) *scene {
	t.Helper()
	c.T, c.G = t, NewWithT(t)
	c.G.SetDefaultEventuallyTimeout(patience)
	c.G.SetDefaultEventuallyPollingInterval(poll)
	return &scene{T: t, G: c.G, crew: c, cell: n.cell, id: fmt.Sprintf("p-%d", n.number)}
}

// few is what every run of the tests has time for: one cell of each point.
func few(all []cell) []cell {
	seen := map[failpoint.Point]bool{}
	var out []cell
	for _, c := range all {
		if !seen[c.point] {
			seen[c.point] = true
			out = append(out, c)
		}
	}
	return out
}

// keepIfFailed writes what is needed to understand a failure into a file: the posting's part of the ledger, and what the
// managers said.
func (s *scene) keepIfFailed() {
	if !s.T.Failed() {
		return
	}
	folder := *out
	if folder == "" {
		folder = s.T.ArtifactDir()
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\n%s\n\nledger of posting %s:\n", s.cell, s.describe(), s.id)
	for _, r := range s.crew.Ledger() {
		if r.Posting == s.id {
			fmt.Fprintf(&text, "%s %s call=%d %s %s bid=%s key=%.8s status=%d %s fault=%s\n",
				r.Time.Format("15:04:05.000"), r.Kind, r.Call, r.Verb, r.Effect, r.BidID, r.Key, r.Status, r.Code, r.Fault)
		}
	}
	for _, r := range s.crew.employed {
		log, _ := os.ReadFile(r.Log)
		fmt.Fprintf(&text, "\n%s:\n%s", r.Name, log)
	}
	file := filepath.Join(folder, "crash-"+strings.ReplaceAll(strings.ReplaceAll(s.cell.String(), "/", "_"), " ", "-")+".txt")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		s.T.Error(err)
		return
	}
	s.T.Logf("ledger and logs are in %s", file)
}
