package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	const profile = `mode: atomic
github.com/onebid-dev/onebid/api/v1alpha1/key.go:10.2,12.3 2 1
github.com/onebid-dev/onebid/api/v1alpha1/types.go:1.2,2.3 1 0
github.com/onebid-dev/onebid/internal/bidding/guard.go:30.2,31.3 1 0
github.com/onebid-dev/onebid/internal/bidding/guard.go:5.2,6.3 1 0
github.com/onebid-dev/onebid/internal/ownership/lease.go:5.2,6.3 1 0
github.com/onebid-dev/onebid/internal/ownership/lease.go:5.2,6.3 1 7
github.com/onebid-dev/onebid/internal/ownershipother/lease.go:5.2,6.3 1 0
`
	for _, tc := range []struct {
		why, path, says string
		ok              bool
	}{
		{"a file is judged apart from its neighbours", "api/v1alpha1/key.go", "every statement is covered", true},
		{"one test binary that ran the block is enough", "internal/ownership", "every statement is covered", true},
		{"uncovered lines are named in order", "internal/bidding/",
			"internal/bidding/guard.go:5-6\n  internal/bidding/guard.go:30-31", false},
		{"a moved file must not lift its gate", "internal/gone", "no statement was measured", false},
	} {
		t.Run(tc.why, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "coverage.out")
			if err := os.WriteFile(name, []byte(profile), 0o600); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err := run(&out, name, []string{tc.path})
			if (err == nil) != tc.ok {
				t.Errorf("run = %v, want success: %t", err, tc.ok)
			}
			if !strings.Contains(out.String(), tc.says) {
				t.Errorf("output lacks %q:\n%s", tc.says, out.String())
			}
		})
	}
}

func TestRunRefusesWhatIsNoProfile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "coverage.out")
	if err := os.WriteFile(name, []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(&bytes.Buffer{}, name, []string{"api"}); err == nil {
		t.Error("a file that is no profile was accepted")
	}
	if err := run(&bytes.Buffer{}, name+".absent", []string{"api"}); err == nil {
		t.Error("a missing profile was accepted")
	}
}
