package memory_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"k8s.io/utils/clock"

	"github.com/onebid-dev/onebid/pkg/scanner/lock"
	"github.com/onebid-dev/onebid/pkg/scanner/lock/locktest"
	"github.com/onebid-dev/onebid/pkg/scanner/lock/memory"
)

func TestConformance(t *testing.T) {
	backend := memory.New(clock.RealClock{})
	var namespaces atomic.Int32
	locktest.Run(t, locktest.Suite{
		Name:      lock.Memory,
		Process:   func(*testing.T) lock.Backend { return backend },
		Namespace: func(*testing.T) string { return fmt.Sprintf("tenant-%d", namespaces.Add(1)) },
	})
}
