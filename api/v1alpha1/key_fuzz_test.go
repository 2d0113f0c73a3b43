package v1alpha1_test

import (
	"errors"
	"strings"
	"testing"

	. "github.com/onebid-dev/onebid/api/v1alpha1"
)

// FuzzName holds for every marketplace and every two IDs: a name is one posting's, and it is read back as what it was made
// of. What has no name is refused in words that say what would be right.
func FuzzName(f *testing.F) {
	f.Add("freelancer", "39211345", "39211346")
	f.Add("m", "~01a", "~01A")
	f.Add("m", "x.61", "a")
	f.Add("m", "a.b", "a")
	f.Add("x", "61", "x.61")
	f.Add("m", "é", "e\u0301")
	f.Add("m", "", "\xff")
	f.Fuzz(func(t *testing.T, marketplace, one, other string) {
		first, named := nameOf(t, Key{marketplace, one})
		second, alsoNamed := nameOf(t, Key{marketplace, other})
		if named && alsoNamed && (first == second) != (one == other) {
			t.Fatalf("%q and %q of %q are named %q and %q", one, other, marketplace, first, second)
		}
	})
}

func nameOf(t *testing.T, key Key) (string, bool) {
	t.Helper()
	name, err := key.Name()
	if err != nil {
		var wrong *KeyError
		if !errors.As(err, &wrong) || !strings.HasPrefix(wrong.Reason, "must ") || name != "" {
			t.Fatalf("%+v is refused with %#v and the name %q", key, err, name)
		}
		return "", false
	}
	lease, err := key.LeaseName()
	if err != nil || len(name) > 253 || len(lease) > 253 {
		t.Fatalf("%+v has the name %q and the Lease %q, %v", key, name, lease, err)
	}
	if again, err := ParseName(name); err != nil || again != key {
		t.Fatalf("%+v has the name %q, which is read as %+v, %v", key, name, again, err)
	}
	return name, true
}
