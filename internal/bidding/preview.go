package bidding

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// The bounds of a preview in the API, in bytes.
const (
	maxPreviewURL     = 2048
	maxPreviewBody    = 4096
	maxPreviewValue   = 1024
	maxPreviewHeaders = 32
)

// DryRun notes that all guards passed and that nothing is sent, and the request that would be. Without one the problem
// says why there is none.
func DryRun(marketplace string, preview *onebidv1.BidPreview, problem string) Change {
	return Change{apply: func(e *edit) {
		e.accept()
		message := fmt.Sprintf("Marketplace %q is in mode DryRun: nothing is sent, and status.preview shows what would be;"+
			" set its spec.mode to Live to place this bid", marketplace)
		if preview == nil {
			message = fmt.Sprintf("Marketplace %q is in mode DryRun: nothing is sent, and nothing could be: %s", marketplace, problem)
		}
		e.set(onebidv1.ConditionPlaced, metav1.ConditionFalse, onebidv1.ReasonDryRun, message)
		e.reconciling = &note{onebidv1.ReasonProgressing, message}
		e.status.Preview = boundedPreview(preview)
	}}
}

func boundedPreview(preview *onebidv1.BidPreview) *onebidv1.BidPreview {
	if preview == nil {
		return nil
	}
	out := preview.DeepCopy()
	out.URL = text(out.URL, maxPreviewURL)
	out.Body = text(out.Body, maxPreviewBody)
	out.Headers = out.Headers[:min(len(out.Headers), maxPreviewHeaders)]
	for i := range out.Headers {
		if value := out.Headers[i].Value; value != nil {
			cut := text(*value, maxPreviewValue)
			out.Headers[i].Value = &cut
		}
	}
	return out
}

func text(s string, most int) string { return cut(strings.ToValidUTF8(s, "\uFFFD"), most) }
