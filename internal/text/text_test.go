package text

import (
	"testing"
	"unicode/utf8"

	. "github.com/onsi/gomega"
)

func TestCut(t *testing.T) {
	g := NewWithT(t)
	g.Expect(Cut("äöü", 6)).To(Equal("äöü"), "it fits")
	g.Expect(Cut("äöüß", 7)).To(Equal("äö…"), "a character of two bytes fits beside the ellipsis")
	g.Expect(Cut("äöüß", 6)).To(Equal("ä…"), "no character is cut in two")
	g.Expect(Cut("a\xffb", 10)).To(Equal("a\uFFFDb"))
	g.Expect(CutRunes("äöü", 3)).To(Equal("äöü"))
	g.Expect(CutRunes("äöüß", 3)).To(Equal("äö…"))
	g.Expect(CutRunes("\xff\xff", 2)).To(Equal("\uFFFD"), "one replacement stands for a run of invalid bytes")
}

func FuzzCut(f *testing.F) {
	f.Add("äöü", 4)
	f.Fuzz(func(t *testing.T, s string, most int) {
		if most < len(ellipsis) || most > 1000 {
			return
		}
		if cut := Cut(s, most); len(cut) > most || !utf8.ValidString(cut) {
			t.Fatalf("Cut(%q, %d) is %q", s, most, cut)
		}
		if cut := CutRunes(s, most); utf8.RuneCountInString(cut) > most || !utf8.ValidString(cut) {
			t.Fatalf("CutRunes(%q, %d) is %q", s, most, cut)
		}
	})
}
