package httpdriver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/egress"
)

const fuzzSecret = "fuzz-s3cr3t"

// fromSample builds the driver of one of config/samples.
func fromSample(tb testing.TB, name string) *Driver {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "samples", "marketplace-"+name+".yaml"))
	if err != nil {
		tb.Fatal(err)
	}
	var m onebidv1.Marketplace
	if err := yaml.UnmarshalStrict(raw, &m); err != nil {
		tb.Fatal(err)
	}
	inside, err := egress.ParsePolicy([]string{"true"})
	if err != nil {
		tb.Fatal(err)
	}
	d, err := New(context.Background(), m.Spec.HTTP, map[string][]byte{"token": []byte(fuzzSecret)}, Options{Egress: inside})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// FuzzReply gives the drivers any reply: whatever it is, the verdict is one of those that the contract knows, a success
// names a bid, and a write that was answered by neither success nor a documented refusal is an unknown outcome.
func FuzzReply(f *testing.F) {
	drivers := []*Driver{fromSample(f, "rest"), fromSample(f, "freelancehunt"), fromSample(f, "taskfast")}
	f.Add(201, `{"id":"1","posting_id":"p","state":"live","client_ref":"k"}`)
	f.Add(200, `{"data":{"id":1,"attributes":{"status":"active","project":{"id":"p"}}}}`)
	f.Add(200, `{"items":[{"id":1,"posting_id":"p","state":"live"}],"next_page":null}`)
	f.Add(409, `{"error":{"code":"AWARDED","message":"`+fuzzSecret+`"}}`)
	f.Add(409, `{"error":"awarded","message":[]}`)
	f.Add(500, `<html>`)
	f.Add(302, `null`)
	f.Add(200, `[[[[{}]]]]`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		r := &reply{status: status, header: http.Header{}, body: map[string]any{}}
		r.take([]byte(body))
		for _, d := range drivers {
			checkPlace(t, d, r)
			checkRead(t, d, r)
		}
	})
}

func checkPlace(t *testing.T, d *Driver, r *reply) {
	t.Helper()
	c := d.call(opPlace, nil, "")
	verdict := c.classify(t.Context(), r)
	refusal := r.status >= 400 && r.status < 500
	switch {
	case verdict == nil && !r.succeeded():
		t.Fatalf("HTTP %d was taken for success", r.status)
	case verdict != nil && verdict.Class != onebidv1.ErrorUnknownOutcome && !refusal && !r.succeeded():
		t.Fatalf("HTTP %d was taken for a refusal: %v", r.status, verdict)
	case verdict != nil && strings.Contains(verdict.Error(), fuzzSecret):
		t.Fatalf("the secret is in %v", verdict)
	}
	if verdict != nil {
		return
	}
	bid, err := d.readItem(t.Context(), d.plan.place, r)
	if err == nil {
		err = d.checkPlaced(bid, marketplace.PlaceRequest{PostingID: "p", IdempotencyKey: "k"})
	}
	if err == nil && (!isName(bid.ID) || bid.PostingID != "p" || bid.State == "" || len(bid.Word) > maxID || len(bid.URL) > maxURL) {
		t.Fatalf("a bid that is none: %+v", bid)
	}
}

func checkRead(t *testing.T, d *Driver, r *reply) {
	t.Helper()
	if verdict := d.call(opLookup, nil, "").classify(t.Context(), r); verdict != nil {
		if verdict.Class == onebidv1.ErrorUnknownOutcome {
			t.Fatalf("a read has no outcome: %v", verdict)
		}
		return
	}
	read := &reader{driver: d, operation: opLookup, list: d.plan.lookup, seen: map[string]int{},
		vars: map[string]any{"bid": map[string]any{"postingID": "p"}}}
	if read.take(t.Context(), r) != nil {
		return
	}
	for _, bid := range read.bids {
		if !isName(bid.ID) {
			t.Fatalf("a bid without an ID: %+v", bid)
		}
	}
	_, _ = read.next(t.Context(), r, 1)
}

// FuzzNumbers finds no number that changes on its way from their JSON through CEL into ours.
func FuzzNumbers(f *testing.F) {
	for _, seed := range []string{"0", "-0", "1e3", "0.10", "12345678901234567890", "-9223372036854775808", "1E-400"} {
		f.Add(seed)
	}
	e, err := compile(itemScope, "f", "item", wantAny)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		if !jsonNumber.MatchString(sent) {
			return
		}
		value, err := decodeJSON([]byte(sent))
		if err != nil {
			t.Fatalf("%s: %v", sent, err)
		}
		got, err := e.text(t.Context(), map[string]any{"item": value})
		if err != nil || got != sent {
			t.Fatalf("%s became %q, %v", sent, got, err)
		}
	})
}

// FuzzJSON writes what it read: the values are the same, whatever they are.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,true,null,"é<\u0000"],"":{}}`))
	f.Add([]byte(`[]`))
	e, err := compile(itemScope, "f", "item", wantAny)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		value, err := decodeJSON(raw)
		if err != nil {
			return
		}
		v, err := e.eval(t.Context(), map[string]any{"item": value})
		if err != nil {
			t.Fatal(err)
		}
		written, err := encodeJSON(v)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeJSON(written)
		if err != nil {
			t.Fatalf("%q was written as %q: %v", raw, written, err)
		}
		before, _ := json.Marshal(value)
		after, _ := json.Marshal(again)
		if !bytes.Equal(before, after) {
			t.Fatalf("%s became %s", before, after)
		}
	})
}

// FuzzClean never lets a secret or a sentence of the proposal through, nor more than a line of bounded length.
func FuzzClean(f *testing.F) {
	const proposal = "We have done this for twenty years and know every stone on the way."
	f.Add("before", "after")
	f.Add(fuzzSecret[:5], fuzzSecret[5:])
	f.Add(proposal[:20], proposal[40:])
	f.Add("\xff", "\x00\n")
	r := newRedactor(nil, map[string]string{"token": fuzzSecret}, proposal)
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, said := range []string{before + fuzzSecret + after, before + proposal + after, before + after} {
			got := r.clean(said)
			if strings.Contains(got, fuzzSecret) || len(got) > maxMessage || strings.ContainsAny(got, "\n\x00") {
				t.Fatalf("%q became %q", said, got)
			}
			for i := 0; i+2*stretch <= len(proposal); i++ {
				if strings.Contains(got, proposal[i:i+2*stretch]) {
					t.Fatalf("%q became %q", said, got)
				}
			}
		}
	})
}

// FuzzRetryAfter is never negative and never longer than a day.
func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "30", "\"default\";r=0;t=45", "Sun, 01 Nov 2026 12:05:00 GMT")
	f.Add("Sun, 01 Nov 2026 12:05:00 GMT", "1793000000", "t=-1", "")
	f.Fuzz(func(t *testing.T, after, reset, limit, date string) {
		h := http.Header{"Retry-After": {after}, "Ratelimit-Reset": {reset}, "Ratelimit": {limit}, "Date": {date}}
		if got := retryAfter(h, time.Unix(1_793_000_000, 0)); got < 0 || got > maxRetryAfter {
			t.Fatalf("%s", got)
		}
	})
}

// FuzzCompile answers every expression with a program or with an error that names the field.
func FuzzCompile(f *testing.F) {
	f.Add("item.id")
	f.Add("{?'a': optional.none()}")
	f.Add("secret['x'] + pathEscape(")
	f.Add("'\xff'")
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 200 {
			return
		}
		e, err := compile(itemScope, "spec.http.bid.id", onebidv1.CELExpression(source), wantText)
		var wrong *FieldError
		switch {
		case err != nil && !errors.As(err, &wrong):
			t.Fatalf("%q: %v", source, err)
		case err == nil && e != nil:
			_, _ = e.text(t.Context(), map[string]any{"item": map[string]any{"id": int64(1)}, "response": map[string]any{}})
		}
	})
}
