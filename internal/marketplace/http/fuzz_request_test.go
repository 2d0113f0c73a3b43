package httpdriver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// FuzzRequest renders bids of any ID and text. Wherever a sample puts them, the request goes where the sample says: to the
// same place with one segment of the path for one ID; its body can be read, says the ID and the text to the letter, and
// its headers hold one line each.
func FuzzRequest(f *testing.F) {
	names := []string{"rest", "freelancehunt", "taskfast", "botguild", "loadboard", "graphql"}
	drivers := make([]*Driver, 0, len(names))
	for _, name := range names {
		drivers = append(drivers, fromSample(f, name))
	}
	f.Add("39211345", "we know this", "77")
	f.Add("../../admin?x=1#f", "\",\"amount\":1,\"x\":\"", "a/b")
	f.Add("%2e%2e", "{{ .Secret }} ${secret.token}", "..")
	f.Add("~01\r\nX-Evil: 1", "\u2028<script>\x00", "é 標")
	f.Fuzz(func(t *testing.T, posting, proposal, bidID string) {
		if !utf8.ValidString(proposal) { // no API server keeps it
			return
		}
		for i, d := range drivers {
			m := rendered(t, d, d.plan.place.request, placing(proposal), posting)
			if m != nil && names[i] != "loadboard" { // which takes no text
				says(t, m, proposal)
			}
			onBid := func(id string) map[string]any {
				return map[string]any{"remote": map[string]any{"id": id, "postingID": id}, "reason": proposal}
			}
			rendered(t, d, d.plan.withdraw, onBid, bidID)
			if d.plan.get != nil {
				rendered(t, d, d.plan.get.request, onBid, bidID)
			}
		}
	})
}

func placing(proposal string) func(postingID string) map[string]any {
	return func(postingID string) map[string]any {
		vars := placeVars(marketplace.PlaceRequest{
			PostingID: postingID, Price: onebidv1.Money{Amount: "250.50", Currency: "USD"}, DeliveryDays: 7, Proposal: proposal,
		})
		vars["account"] = "us"
		return vars
	}
}

// rendered is nil for what is refused before anything is sent.
func rendered(t *testing.T, d *Driver, request *template, vars func(id string) map[string]any, id string) *draft {
	t.Helper()
	if request == nil {
		return nil
	}
	usual, err := d.build(t.Context(), request, vars("1"), extras{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.build(t.Context(), request, vars(id), extras{})
	if err != nil {
		if strings.Contains(err.Error(), fuzzSecret) {
			t.Fatalf("the secret is in %v", err)
		}
		return nil
	}
	if got, want := place(m.URL), place(usual.URL); got != want {
		t.Fatalf("%s leads to %q, not to %q", m.URL, got, want)
	}
	for name, values := range m.Header {
		if len(values) != 1 || strings.ContainsAny(values[0], "\r\n\x00") {
			t.Fatalf("header %s is %q", name, values)
		}
	}
	if m.Body != nil && !json.Valid(m.Body) {
		t.Fatalf("the body is %q", m.Body)
	}
	return m
}

// place is all of a URL that must not depend on an ID: how many segments there are, and which query parameters.
func place(u *url.URL) string {
	names := slices.Sorted(maps.Keys(u.Query()))
	slash := strings.Count(u.EscapedPath(), "/")
	return fmt.Sprintf("%s://%s@%s with %d slashes, %v#%s", u.Scheme, u.User, u.Host, slash, names, u.Fragment)
}

// says finds the text in the body, once it is read as JSON.
func says(t *testing.T, m *draft, text string) {
	t.Helper()
	wire, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	var body any
	if err := json.Unmarshal(m.Body, &body); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(again, wire) {
		t.Fatalf("the body %q does not say %q", m.Body, text)
	}
}
