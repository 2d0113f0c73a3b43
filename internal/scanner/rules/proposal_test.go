package rules

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// A template that writes nothing is stopped too, wherever it spends its time.
func TestAProposalWithoutEndIsStopped(t *testing.T) {
	// Each calls the one before twice: 2^60 calls, none of which writes anything.
	calls := "{{define `t0`}}{{end}}"
	for i := range 60 {
		calls += fmt.Sprintf("{{define `t%d`}}{{template `t%d`}}{{template `t%d`}}{{end}}", i+1, i, i)
	}
	const endless = "{{range 4000000000000000000}}{{end}}"
	for name, source := range map[string]string{
		"a loop":          endless,
		"in an if":        "{{if true}}" + endless + "{{end}}",
		"in an else":      "{{if false}}{{else}}" + endless + "{{end}}",
		"in a with":       "{{with 1}}" + endless + "{{end}}",
		"in its else":     "{{with 0}}{{else}}" + endless + "{{end}}",
		"in a loop":       "{{range 1}}" + endless + "{{end}}",
		"in a loop's":     "{{range 0}}{{else}}" + endless + "{{end}}",
		"many calls":      calls + "{{template `t60`}}",
		"it calls itself": "{{define `a`}}{{range 4000000000}}{{template `b`}}{{end}}{{end}}{{define `b`}}{{end}}{{template `a`}}",
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			proposal, err := newProposal(source)
			g.Expect(err).NotTo(HaveOccurred())
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				_, err := (&bidRules{proposal: proposal}).write(ctx, input{})
				ended <- err
			}()
			g.Eventually(ended, "30s").Should(Receive(MatchError(ContainSubstring("bid.proposal: must be written within 2s: context"))))
		})
	}
}

// What makes a template interruptible leaves no trace in what it writes.
func TestAProposalIsWrittenAsItStands(t *testing.T) {
	g := NewWithT(t)
	proposal, err := newProposal("{{define `x`}}<{{.}}>{{end}}\n" +
		"{{range $i, $e := .Item.list}}{{if $i}}, {{else}}{{end}}{{template `x` $e}}{{else}}none{{end -}}  !")
	g.Expect(err).NotTo(HaveOccurred())
	for list, want := range map[string]string{"a b": "<a>, <b>!", "": "none!"} {
		text, err := (&bidRules{proposal: proposal}).write(t.Context(), input{Item: map[string]any{"list": strings.Fields(list)}})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(text).To(Equal(want))
	}
}
