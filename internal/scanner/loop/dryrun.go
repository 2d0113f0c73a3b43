package loop

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/pkg/scanner"
)

// DryRun is a Processor that writes what would be done, one JSON object per posting, and sends no request: there may be a
// Bid already, or the Marketplace may be suspended. It is safe for concurrent use.
type DryRun struct {
	marketplace string
	mu          sync.Mutex
	out         *json.Encoder
}

// NewDryRun writes to out.
func NewDryRun(marketplace string, out io.Writer) *DryRun {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return &DryRun{marketplace: marketplace, out: e}
}

// decision is what a dry run writes.
type decision struct {
	// Name of the Posting and the Bid.
	Name     string                `json:"name"`
	Suitable bool                  `json:"suitable"`
	Score    *int32                `json:"score,omitempty"`
	Reason   string                `json:"reason,omitempty"`
	Posting  *v1alpha1.PostingSpec `json:"posting"`
	Bid      *v1alpha1.BidSpec     `json:"bid,omitempty"`
}

// Process evaluates the posting and writes the verdict.
func (d *DryRun) Process(ctx context.Context, posting *v1alpha1.Posting, evaluate scanner.Evaluate) (scanner.Result, error) {
	name, err := v1alpha1.Key{Marketplace: d.marketplace, PostingID: posting.Spec.PostingID}.Name()
	if err != nil {
		return scanner.Result{}, err
	}
	verdict, err := evaluate(ctx, posting)
	if err != nil {
		return scanner.Result{}, err
	}
	spec := posting.Spec.DeepCopy()
	spec.Marketplace = d.marketplace
	would := decision{Name: name, Suitable: verdict.Suitable, Score: verdict.Score, Reason: verdict.Reason, Posting: spec}
	result := scanner.Result{Outcome: scanner.NotSuitable, Reason: verdict.Reason, Evaluated: true}
	if verdict.Suitable {
		bid := verdict.Bid.DeepCopy()
		bid.Marketplace, bid.PostingID = d.marketplace, spec.PostingID
		would.Bid = bid
		result.Outcome = scanner.Open
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.out.Encode(would); err != nil {
		return scanner.Result{}, fmt.Errorf("write the verdict: %w", err)
	}
	return result, nil
}
