package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/api/v1alpha1"
)

func TestFlags(t *testing.T) {
	g := NewWithT(t)
	s, err := parseFlags(nil, "/repo", io.Discard)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s).To(Equal(settings{
		market: "rest", postings: 1000, scanners: 20, withdraw: 100, seed: 1, deadline: 2 * time.Minute, bin: "/repo/bin",
	}))
	g.Expect(s.class()).To(Equal(v1alpha1.ClassIdempotencyKey))

	s, err = parseFlags([]string{"--market=none", "--postings=30", "--withdraw=0"}, "/repo", io.Discard)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.class()).To(Equal(v1alpha1.ClassNone))
	g.Expect(s.withdraw).To(Equal(0))
}

func TestFlagsRefused(t *testing.T) {
	for args, says := range map[string]string{
		"--market=upwork":              `--market: "upwork" is not one of none, rest, unique`,
		"--postings=0":                 "--postings: 0 is not between 1 and 20000",
		"--scanners=1000":              "--scanners: 1000 is not between 1 and 200",
		"--postings=10 --withdraw=11":  "--withdraw: 11 is not between 0 and 10",
		"--deadline=0s":                "--deadline: 0s is not above zero",
		"more":                         `unexpected argument "more"`,
		"--no-such-flag":               "no-such-flag",
		"--seed=-1":                    "invalid value",
		"--postings=many --scanners=1": "invalid value",
	} {
		t.Run(args, func(t *testing.T) {
			g := NewWithT(t)
			_, err := parseFlags(strings.Fields(args), "/repo", io.Discard)
			var usage usageError
			g.Expect(errors.As(err, &usage)).To(BeTrue())
			g.Expect(err).To(MatchError(ContainSubstring(says)))
			g.Expect(exitCode(err)).To(Equal(2))
		})
	}
}

func TestHelp(t *testing.T) {
	g := NewWithT(t)
	var out strings.Builder
	_, err := parseFlags([]string{"--help"}, "/repo", &out)
	g.Expect(err).To(MatchError(flag.ErrHelp))
	g.Expect(exitCode(err)).To(Equal(0))
	for _, name := range []string{"market", "postings", "scanners", "withdraw", "seed", "deadline", "keep", "bin"} {
		g.Expect(out.String()).To(ContainSubstring(fmt.Sprintf("-%s", name)))
	}
}
