package feed

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

const rss = `<?xml version="1.0"?>
<rss version="2.0"><channel><title>Jobs</title>
<item><guid>j-1</guid><title>Logo &amp; card</title><link>https://jobs.test/1</link><category>design</category></item>
<item><guid>j-2</guid><title>Site</title></item>
</channel></rss>`

const atom = `<feed xmlns="http://www.w3.org/2005/Atom"><title>Jobs</title>
<entry><id>urn:1</id><title>Logo</title><summary>Soon</summary><updated>2026-11-01T10:00:00Z</updated></entry></feed>`

// read puts the text into a file and reads that.
func read(t *testing.T, text string, options ...func(*Options)) ([]Item, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "feed")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Location: path}
	for _, edit := range options {
		edit(&o)
	}
	reader, err := NewReader(o)
	if err != nil {
		t.Fatal(err)
	}
	reading, err := reader.Read(t.Context())
	return reading.Items, err
}

func format(f Format) func(*Options) { return func(o *Options) { o.Format = f } }

func jobs(_ context.Context, document any) ([]any, error) {
	list, ok := document.(Item)["jobs"].([]any)
	if !ok {
		return nil, errors.New("no jobs")
	}
	return list, nil
}

func TestEveryFormatIsRead(t *testing.T) {
	for name, tc := range map[string]struct {
		text   string
		edit   func(*Options)
		field  string
		values []any
	}{
		"a list":                   {`[{"id":"a"},{"id":"b"}]`, format(Auto), "id", []any{"a", "b"}},
		"with a byte order mark":   {"\xef\xbb\xbf" + `[{"id":"a"}]`, format(Auto), "id", []any{"a"}},
		"no postings":              {`[]`, format(Auto), "id", nil},
		"lines":                    {"{\"id\":\"a\"}\n\n{\"id\":\"b\"}", format(Auto), "id", []any{"a", "b"}},
		"one line, said to be one": {`{"id":"a"}`, format(JSONL), "id", []any{"a"}},
		"a list inside":            {`{"jobs":[{"id":"a"}],"next":2}`, func(o *Options) { o.Select = jobs }, "id", []any{"a"}},
		"large numbers": {
			`[{"id":9007199254740993},{"id":12.5},{"id":-1}]`, format(JSON), "id",
			[]any{int64(9007199254740993), 12.5, int64(-1)},
		},
		"RSS":                        {rss, format(Auto), "guid", []any{"j-1", "j-2"}},
		"the text of RSS":            {rss, format(XML), "title", []any{"Logo & card", "Site"}},
		"Atom":                       {atom, format(Auto), "guid", []any{"urn:1"}},
		"an entity of HTML":          {strings.Replace(atom, "Logo", "Logo&nbsp;1", 1), format(Auto), "title", []any{"Logo\u00a01"}},
		"RSS without items":          {`<rss version="2.0"><channel><title>x</title></channel></rss>`, format(Auto), "guid", nil},
		"RSS with another encoding":  {latin1, format(Auto), "title", []any{"Gärtner"}},
		"an object in several lines": {"{\n\"jobs\": [\n{\"id\":\"a\"}]}", func(o *Options) { o.Select = jobs }, "id", []any{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			items, err := read(t, tc.text, tc.edit)
			g.Expect(err).NotTo(HaveOccurred())
			var got []any
			for _, item := range items {
				got = append(got, item[tc.field])
			}
			g.Expect(got).To(Equal(tc.values))
		})
	}
}

const latin1 = `<?xml version="1.0" encoding="ISO-8859-1"?><rss version="2.0"><channel><item><guid>1</guid><title>G` + "\xe4" +
	`rtner</title></item></channel></rss>`

// Half a feed is none: not one of the postings that could be read may be believed.
func TestBrokenFeedsGiveNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		edit func(*Options)
		says string
	}{
		"nothing":                   {"", format(JSON), "empty: a feed without postings is an empty list"},
		"blanks":                    {" \n\t", format(Auto), "empty"},
		"JSON cut short":            {`[{"id":"a"},{"id":"b"`, format(Auto), "not JSON, or cut short"},
		"lines cut short":           {"{\"id\":\"a\"}\n{\"id\":\"", format(JSONL), "line 2: not JSON, or cut short"},
		"RSS cut short":             {rss[:len(rss)/2], format(Auto), "not well-formed XML, or cut short"},
		"Atom cut short":            {strings.TrimSuffix(atom, "</feed>"), format(Auto), "not well-formed XML, or cut short"},
		"a web page":                {"<!DOCTYPE html><title>Log in</title>", format(Auto), "a web page, not a feed"},
		"a web page as JSON":        {"<html><body>Log in</body></html>", format(JSON), "a web page, not a feed"},
		"a web page with a preface": {`<?xml version="1.0"?><html xmlns="x"><body/></html>`, format(Auto), "neither RSS nor Atom"},
		"another kind of XML":       {`<Error><Code>AccessDenied</Code></Error>`, format(Auto), "neither RSS nor Atom"},
		"prose":                     {"Service unavailable", format(Auto), `neither JSON nor XML: begins with "Service unavailable"`},
		"an error as an object":     {`{"error":"maintenance"}`, format(Auto), "an object: must be a list"},
		"the list is missing":       {`{"error":"maintenance"}`, func(o *Options) { o.Select = jobs }, "no jobs"},
		"an item that is none":      {`[{"id":"a"},"b"]`, format(Auto), "item 2 of 2 is a string: must be an object"},
		"null":                      {`[null]`, format(Auto), "item 1 of 1 is null"},
		"two values":                {`[{"id":"a"}] [{"id":"b"}]`, format(Auto), "more follows after the value"},
		"not UTF-8":                 {"[{\"id\":\"\xff\"}]", format(Auto), "not UTF-8"},
		"a number beyond all":       {`[{"id":1e999}]`, format(Auto), "value out of range"},
		"JSON for RSS":              {`[{"id":"a"}]`, format(XML), "neither RSS nor Atom"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			items, err := read(t, tc.text, tc.edit)
			g.Expect(err).To(MatchError(ContainSubstring(tc.says)))
			g.Expect(items).To(BeEmpty())
		})
	}
}

func TestLocations(t *testing.T) {
	g := NewWithT(t)
	_, err := NewReader(Options{Location: "ftp://user:geheim@jobs.test/list"})
	g.Expect(err).To(MatchError(And(ContainSubstring(`invalid value "ftp://user:`), ContainSubstring("must be an http or https URL"))))
	g.Expect(err).NotTo(MatchError(ContainSubstring("geheim")))
	_, err = NewReader(Options{Location: "http://user:geheim@jobs.test:x/"})
	g.Expect(err).To(MatchError("location: must be an http or https URL that can be read, a file, or - for standard input"))
	_, err = NewReader(Options{Location: "-", Format: "CSV"})
	g.Expect(err).To(MatchError(`format: invalid value "CSV": must be Auto, JSON, JSONL or XML (for RSS and Atom)`))

	for _, location := range []string{t.TempDir(), filepath.Join(t.TempDir(), "nothing.json")} {
		reader, err := NewReader(Options{Location: location})
		g.Expect(err).NotTo(HaveOccurred())
		_, err = reader.Read(t.Context())
		g.Expect(err).To(MatchError(ContainSubstring(location)))
	}

	reader, err := NewReader(Options{Location: "-", Stdin: strings.NewReader(`[{"id":"a"}]`)})
	g.Expect(err).NotTo(HaveOccurred())
	reading, err := reader.Read(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(reading.Items).To(HaveLen(1))
	_, err = reader.Read(t.Context())
	g.Expect(err).To(HaveOccurred(), "what is used up is no feed without postings")
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{rss, atom, latin1, `[{"id":1.5}]`, "{\"id\":1}\n{\"id\":2}", `{"a":[]}`, "", "<html>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range []Format{Auto, JSON, JSONL, XML} {
			items, err := parser{format: format}.parse(t.Context(), document{content: []byte(text)})
			if err != nil && items != nil {
				t.Errorf("%s: items beside the error %v", format, err)
			}
			for _, item := range items {
				if item == nil {
					t.Errorf("%s: an item that is no object", format)
				}
			}
		}
	})
}
