package wake_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/types"

	"github.com/onebid-dev/onebid/internal/controller/wake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOnKeepsOneEventAndNeverBlocks(t *testing.T) {
	g := NewWithT(t)
	var report func()
	events := wake.On(func(changed func()) { report = changed })
	for range 100 {
		report()
	}
	g.Expect(events).To(Receive())
	g.Expect(events).NotTo(Receive())
	report()
	g.Expect(events).To(Receive())
}

func TestKeysLosesNoneAndNeverBlocks(t *testing.T) {
	g := NewWithT(t)
	g.SetDefaultEventuallyTimeout(20 * time.Second)
	keys := wake.NewKeys()
	for range 3 {
		for i := range 100 {
			keys.Report(types.NamespacedName{Name: fmt.Sprint(i)})
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	seen := map[string]int{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		keys.Run(ctx, func(key types.NamespacedName) {
			mu.Lock()
			defer mu.Unlock()
			seen[key.Name]++
		})
	}()
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(seen)
	}
	g.Eventually(count).Should(Equal(100))
	for _, times := range seen {
		g.Expect(times).To(Equal(1), "reported three times before it was handed over")
	}
	keys.Report(types.NamespacedName{Name: "late"})
	g.Eventually(count).Should(Equal(101))
	cancel()
	<-done
}
