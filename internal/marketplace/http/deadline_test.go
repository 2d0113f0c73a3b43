package httpdriver

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
)

// TestAReplyThatCameInTimeIsRead although the caller's deadline passed while it was on its way.
func TestAReplyThatCameInTimeIsRead(t *testing.T) {
	g := NewWithT(t)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	long, err := compile(itemScope, "f", "string(item.filter(i, i > 1).size())", wantText)
	g.Expect(err).NotTo(HaveOccurred())
	numbers := make([]any, 500)
	for i := range numbers {
		numbers[i] = int64(i)
	}
	_, err = long.Text(over, map[string]any{"item": numbers})
	g.Expect(err).NotTo(HaveOccurred())
}
