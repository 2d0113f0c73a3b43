package rules

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
)

// proposalTime bounds the writing of a proposal.
const proposalTime = 2 * time.Second

// newProposal parses the template of the proposal. A field that an item has not must not become "<no value>" in front of a
// client.
func newProposal(source string) (*template.Template, error) {
	proposal, err := template.New("bid.proposal").Option("missingkey=error").Parse(source)
	if err != nil {
		return nil, err
	}
	for _, t := range proposal.Templates() {
		interruptible(t.Root)
	}
	return proposal, nil
}

// interruptible makes a template write at each call and each turn of a loop, if only an empty text. A template cannot be
// stopped but by a writer that fails, and one that writes nothing would run for as long as its loops do.
func interruptible(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.IfNode:
			interruptible(n.List)
			interruptible(n.ElseList)
		case *parse.WithNode:
			interruptible(n.List)
			interruptible(n.ElseList)
		case *parse.RangeNode:
			interruptible(n.List)
			interruptible(n.ElseList)
		}
	}
	list.Nodes = append([]parse.Node{&parse.TextNode{NodeType: parse.NodeText, Pos: list.Pos}}, list.Nodes...)
}

// write gives the proposal. It is what a client reads, so it is never cut.
func (b *bidRules) write(ctx context.Context, in input) (string, error) {
	if b.proposal == nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, proposalTime)
	defer cancel()
	out := &bounded{ended: ctx.Err}
	if err := b.proposal.Execute(out, in); err != nil {
		return "", fmt.Errorf("bid.proposal: %w", err)
	}
	text := strings.TrimSpace(string(out.text))
	if text == "" {
		return "", errors.New("bid.proposal: gives nothing: must give a text, or be left out")
	}
	return text, nil
}

// bounded refuses more than a proposal may hold, so that a template cannot fill the memory, and everything once ended says
// why.
type bounded struct {
	ended func() error
	text  []byte
}

func (b *bounded) Write(p []byte) (int, error) {
	if err := b.ended(); err != nil {
		return 0, fmt.Errorf("must be written within %s: %w", proposalTime, err)
	}
	if len(b.text)+len(p) > maxProposal {
		return 0, fmt.Errorf("must be at most %d bytes long", maxProposal)
	}
	b.text = append(b.text, p...)
	return len(p), nil
}
