package v1alpha1_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	. "github.com/onebid-dev/onebid/api/v1alpha1"
)

func TestName(t *testing.T) {
	for _, c := range []struct {
		why      string
		key      Key
		want     string
		lockName string
	}{
		{"a number", Key{"freelancer", "39211345"}, "freelancer.39211345", "bid-lock.freelancer.39211345"},
		{"a DNS label", Key{"dat", "load-7"}, "dat.load-7", "bid-lock.dat.load-7"},
		{"a label longer than DNS allows is legal in an object's name", Key{"m", strings.Repeat("a", 100)},
			"m." + strings.Repeat("a", 100), "bid-lock.m." + strings.Repeat("a", 100)},
		{"upper case", Key{"upwork", "A"}, "upwork.x.41", "bid-lock.upwork.x.41"},
		{"an ID that no object's name may hold", Key{"upwork", "~01"}, "upwork.x.7e3031", "bid-lock.upwork.x.7e3031"},
		{"a dot would let two keys share a name", Key{"m", "a.b"}, "m.x.612e62", "bid-lock.m.x.612e62"},
		{"an ID that looks like a hex form", Key{"m", "x.61"}, "m.x.782e3631", "bid-lock.m.x.782e3631"},
		{"x alone is plain", Key{"m", "x"}, "m.x", "bid-lock.m.x"},
		{"a marketplace called x", Key{"x", "61"}, "x.61", "bid-lock.x.61"},
		{"bytes of UTF-8, not characters", Key{"m", "標"}, "m.x.e6a899", "bid-lock.m.x.e6a899"},
		{"spaces at the ends belong to the ID", Key{"m", " 1"}, "m.x.2031", "bid-lock.m.x.2031"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(c.key.Name()).To(Equal(c.want))
			g.Expect(c.key.LeaseName()).To(Equal(c.lockName))
			g.Expect(ParseName(c.want)).To(Equal(c.key))
		})
	}
}

func TestLockKey(t *testing.T) {
	NewWithT(t).Expect(Key{"upwork", "~01:a"}.LockKey()).To(Equal("bid:lock:upwork:~01:a"))
}

func TestTheLongestNamesFit(t *testing.T) {
	g := NewWithT(t)
	longest := Key{strings.Repeat("m", MaxMarketplaceLength), strings.Repeat("~", MaxPostingIDBytes)}
	name, err := longest.Name()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(name).To(HaveLen(243))
	g.Expect(longest.LeaseName()).To(HaveLen(252))
}

const (
	badMarketplace = "must be a DNS label of at most 40 characters: lower-case letters, digits and inner hyphens"
	badForm        = "must be <marketplace>.<postingID>, or <marketplace>.x.<hex of the postingID>"
)

func TestKeysWithoutAName(t *testing.T) {
	for _, c := range []struct {
		why  string
		key  Key
		want KeyError
	}{
		{"nothing", Key{"", "1"}, KeyError{"marketplace", "", badMarketplace}},
		{"a capital", Key{"Upwork", "1"}, KeyError{"marketplace", "Upwork", badMarketplace}},
		{"a dot would make the name ambiguous", Key{"up.work", "1"}, KeyError{"marketplace", "up.work", badMarketplace}},
		{"a hyphen at the end", Key{"upwork-", "1"}, KeyError{"marketplace", "upwork-", badMarketplace}},
		{"a line end that $ might overlook", Key{"upwork\n", "1"}, KeyError{"marketplace", "upwork\n", badMarketplace}},
		{"one too long", Key{strings.Repeat("m", 41), "1"}, KeyError{"marketplace", strings.Repeat("m", 41), badMarketplace}},
		{"no ID", Key{"m", ""}, KeyError{"postingID", "", "must be 1 to 100 bytes long"}},
		{"34 characters of 3 bytes", Key{"m", strings.Repeat("標", 34)},
			KeyError{"postingID", strings.Repeat("標", 34), "must be 1 to 100 bytes long"}},
		{"half a character", Key{"m", "標"[:2]}, KeyError{"postingID", "標"[:2], "must be valid UTF-8"}},
		{"a line end", Key{"m", "1\n"}, KeyError{"postingID", "1\n", "must not contain control characters"}},
		{"a control character beyond ASCII", Key{"m", "\u0085"}, KeyError{"postingID", "\u0085", "must not contain control characters"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := c.key.Name()
			g.Expect(err).To(Equal(&c.want))
			_, err = c.key.LeaseName()
			g.Expect(err).To(Equal(&c.want))
			g.Expect(c.key.Validate()).To(Equal(&c.want))
			g.Expect(err.Error()).To(Equal(fmt.Sprintf("%s: invalid value %q: %s", c.want.Field, c.want.Value, c.want.Reason)))
		})
	}
}

func TestNamesOfNoKey(t *testing.T) {
	notCanonical := func(name string) string { return fmt.Sprintf("must be %q, the one name of this posting", name) }
	for _, c := range []struct {
		why  string
		name string
		want KeyError
	}{
		{"no dot", "freelancer", KeyError{"name", "freelancer", badForm}},
		{"hex without digits", "m.x.", KeyError{"name", "m.x.", badForm}},
		{"half a byte", "m.x.4", KeyError{"name", "m.x.4", badForm}},
		{"upper-case hex", "m.x.4A", KeyError{"name", "m.x.4A", badForm}},
		{"no hex at all", "m.x.zz", KeyError{"name", "m.x.zz", badForm}},
		{"hex of a plain ID", "m.x.61", KeyError{"name", "m.x.61", notCanonical("m.a")}},
		{"an ID as it is that needs hex", "m.a.b", KeyError{"name", "m.a.b", notCanonical("m.x.612e62")}},
		{"hex of no UTF-8", "m.x.ff", KeyError{"postingID", "\xff", "must be valid UTF-8"}},
		{"hex of a control character", "m.x.00", KeyError{"postingID", "\x00", "must not contain control characters"}},
		{"no ID", "m.", KeyError{"postingID", "", "must be 1 to 100 bytes long"}},
		{"no marketplace", ".1", KeyError{"marketplace", "", badMarketplace}},
		{"the Lease's name", "bid-lock.m.1", KeyError{"name", "bid-lock.m.1", notCanonical("bid-lock.x.6d2e31")}},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			key, err := ParseName(c.name)
			g.Expect(err).To(Equal(&c.want))
			g.Expect(key).To(BeZero())
		})
	}
}

// valid draws keys that have a name, with IDs from both forms and from the border between them.
var valid = rapid.Custom(func(t *rapid.T) Key {
	return Key{
		Marketplace: rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?`).Draw(t, "marketplace"),
		PostingID: rapid.OneOf(
			rapid.StringMatching(`[a-z0-9]([-a-z0-9]{0,98}[a-z0-9])?`),
			rapid.StringMatching(`(x\.)?[-.0-9a-f]{1,40}`),
			rapid.StringMatching(`[ -~]{1,100}`),
			rapid.StringMatching(`[標的🎉é\x{300}\x{200d}]{1,25}`),
			rapid.StringN(1, 100, MaxPostingIDBytes),
		).Filter(func(id string) bool {
			return id != "" && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
		}).Draw(t, "postingID"),
	}
})

func TestNamesAreReversibleAndLegal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := valid.Draw(t, "key")
		name, err := key.Name()
		if err != nil {
			t.Fatalf("%+v has no name: %v", key, err)
		}
		if parsed, err := ParseName(name); err != nil || parsed != key {
			t.Fatalf("%+v is named %q, which parses as %+v, %v", key, name, parsed, err)
		}
		lease, err := key.LeaseName()
		if err != nil || lease != LeasePrefix+name {
			t.Fatalf("the Lease of %q is %q, %v", name, lease, err)
		}
		for _, object := range []string{name, lease} {
			if wrong := validation.IsDNS1123Subdomain(object); len(wrong) > 0 || len(object) > 253 {
				t.Fatalf("%q is no name of an object: %v", object, wrong)
			}
		}
	})
}

func TestNamesAreInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one := valid.Draw(t, "one")
		other := rapid.OneOf(valid, rapid.Custom(func(t *rapid.T) Key { return neighbour(t, one) })).Draw(t, "other")
		oneName, err := one.Name()
		if err != nil {
			t.Fatal(err)
		}
		otherName, err := other.Name()
		if err == nil && (oneName == otherName) != (one == other) {
			t.Fatalf("%+v is named %q and %+v %q", one, oneName, other, otherName)
		}
	})
}

// neighbour is a key that a careless naming would give the same name.
func neighbour(t *rapid.T, key Key) Key {
	name, _ := key.Name()
	marketplace, id, _ := strings.Cut(name, ".")
	return rapid.SampledFrom([]Key{
		{marketplace, id},
		{key.Marketplace, strings.ToLower(key.PostingID)},
		{key.Marketplace, strings.TrimSpace(key.PostingID)},
		{key.Marketplace, key.PostingID + "-"},
		{key.Marketplace + "x", key.PostingID},
		{key.Marketplace, "x." + key.PostingID},
	}).Draw(t, "neighbour")
}

func TestParseNameTakesAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkParse(t, rapid.OneOf(
			rapid.String(),
			rapid.StringMatching(`[a-z0-9.-]{1,20}`),
			rapid.StringMatching(`m\.x\.[0-9a-fA-F]{0,12}`),
			rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) }),
		).Draw(t, "name"))
	})
}

func FuzzParseName(f *testing.F) {
	for _, name := range []string{"freelancer.39211345", "m.x.7e", "m.x.61", "m.x.", "m.a.b", "", ".", "m.x.ff", "標.1"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) { checkParse(t, name) })
}

// checkParse holds for every string: it is refused with what would be right, or it is the name of its key.
func checkParse(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, name string) {
	t.Helper()
	key, err := ParseName(name)
	if err == nil {
		if again, err := key.Name(); err != nil || again != name {
			t.Fatalf("%q parses as %+v, whose name is %q, %v", name, key, again, err)
		}
		return
	}
	var wrong *KeyError
	if !errors.As(err, &wrong) || wrong.Field == "" || !strings.HasPrefix(wrong.Reason, "must ") || key != (Key{}) {
		t.Fatalf("%q is refused with %#v and key %+v", name, err, key)
	}
}
