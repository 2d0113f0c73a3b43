package scanner_test

import (
	"fmt"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/onebid-dev/onebid/internal/testenv/build"
	"github.com/onebid-dev/onebid/pkg/scanner"
	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

// BenchmarkProcess is one scanner alone, one posting after the other.
func BenchmarkProcess(b *testing.B) {
	for _, c := range []struct {
		name     string
		evaluate scanner.Evaluate
		again    bool
	}{{"Created", suitable, false}, {"NotSuitable", unsuitable, false}, {"Duplicate", suitable, true}} {
		for _, kind := range []string{lock.Lease, lock.Memory} {
			b.Run(c.name+"/"+kind, func(b *testing.B) {
				ns := env.Namespace(b)
				if err := env.Client.Create(b.Context(), build.Marketplace(ns, marketName, "https://example.test")); err != nil {
					b.Fatal(err)
				}
				s, err := scanner.New(scanner.Options{
					Config: rest.CopyConfig(env.Config), Namespace: ns, Marketplace: marketName, Locks: &scanner.Locks{Type: kind},
				})
				if err != nil {
					b.Fatal(err)
				}
				for i := 0; b.Loop(); i++ {
					if c.again {
						i = 0
					}
					if _, err := s.Process(b.Context(), posting(fmt.Sprint(i)), c.evaluate); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
