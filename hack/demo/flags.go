package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/onebid-dev/onebid/api/v1alpha1"
)

// markets are the simulator's markets that the demo can play on.
var markets = map[string]v1alpha1.MarketplaceClass{
	"rest":   v1alpha1.ClassIdempotencyKey,
	"unique": v1alpha1.ClassUniquePerPosting,
	"none":   v1alpha1.ClassNone,
}

// settings are what the flags say.
type settings struct {
	market   string
	postings int
	scanners int
	withdraw int
	seed     uint64
	deadline time.Duration
	keep     bool
	bin      string
}

func (s settings) class() v1alpha1.MarketplaceClass { return markets[s.market] }

// usageError is a mistake on the command line.
type usageError struct{ error }

const about = `Usage: demo [flags]

Starts a control plane, the marketplace simulator and two managers, lets scanner processes race for the same postings,
kills one manager in the middle, and judges the outcome by the simulator's ledger. Exits with 0 when every promise was
kept, with 1 when one was broken or something failed, and with 2 when the flags are wrong.

`

// parseFlags returns flag.ErrHelp after it printed the help, and a usageError for flags that are wrong.
func parseFlags(args []string, root string, out io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&s.market, "market", "rest", "what the marketplace does against double bids: `rest` honours idempotency keys,\n"+
		"unique refuses a second bid on a posting, none does neither")
	flags.IntVar(&s.postings, "postings", 1000, "postings that every scanner finds")
	flags.IntVar(&s.scanners, "scanners", 20, "scanner processes that race for them")
	flags.IntVar(&s.withdraw, "withdraw", -1, "bids to withdraw, half by delete and half by spec.withdraw (default a tenth of the postings)")
	flags.Uint64Var(&s.seed, "seed", 1, "decides the posting IDs, the order of every scanner and what is withdrawn")
	flags.DurationVar(&s.deadline, "deadline", 2*time.Minute, "how long after the race everything may take to settle")
	flags.BoolVar(&s.keep, "keep", false, "keep the folder with the ledger and the logs")
	flags.StringVar(&s.bin, "bin", filepath.Join(root, "bin"), "`folder` of the binaries manager and marketsim")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, about)
		flags.SetOutput(out)
		flags.PrintDefaults()
		return s, err
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q; there are only flags", flags.Arg(0))
	}
	if s.withdraw < 0 {
		s.withdraw = s.postings / 10
	}
	if err == nil {
		err = s.validate()
	}
	if err != nil {
		return s, usageError{err}
	}
	return s, nil
}

func (s settings) validate() error {
	if _, ok := markets[s.market]; !ok {
		return fmt.Errorf("--market: %q is not one of %s", s.market, strings.Join(slices.Sorted(maps.Keys(markets)), ", "))
	}
	for _, n := range []struct {
		flag              string
		value, least, max int
	}{
		{"--postings", s.postings, 1, 20_000},
		{"--scanners", s.scanners, 1, 200},
		{"--withdraw", s.withdraw, 0, s.postings},
	} {
		if n.value < n.least || n.value > n.max {
			return fmt.Errorf("%s: %d is not between %d and %d", n.flag, n.value, n.least, n.max)
		}
	}
	if s.deadline <= 0 {
		return fmt.Errorf("--deadline: %s is not above zero", s.deadline)
	}
	return nil
}
