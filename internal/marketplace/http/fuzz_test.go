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

	"sigs.k8s.io/yaml"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/celeval"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/egress"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
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
	credentials := map[string][]byte{
		"token": []byte(fuzzSecret), "clientID": []byte("fuzz"), "clientSecret": []byte(fuzzSecret),
	}
	d, err := New(context.Background(), m.Spec.HTTP, credentials, wire.Options{Egress: inside})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// FuzzReply gives the drivers any reply: whatever it is, the verdict is one of those that the contract knows, a success
// names a bid, and a write that was answered by neither success nor a documented refusal is an unknown outcome.
func FuzzReply(f *testing.F) {
	drivers := []*Driver{fromSample(f, "rest"), fromSample(f, "freelancehunt"), fromSample(f, "taskfast"),
		fromSample(f, "botguild"), fromSample(f, "loadboard"), fromSample(f, "graphql")}
	f.Add(201, `{"id":"1","posting_id":"p","state":"live","client_ref":"k"}`)
	f.Add(200, `{"data":{"id":1,"attributes":{"status":"active","project":{"id":"p"}}}}`)
	f.Add(200, `{"items":[{"id":1,"posting_id":"p","state":"live"}],"next_page":null}`)
	f.Add(409, `{"error":{"code":"AWARDED","message":"`+fuzzSecret+`"}}`)
	f.Add(409, `{"error":"awarded","message":[]}`)
	f.Add(200, `{"proposals":[{"id":"1","gigId":"p","status":"pending"}]}`)
	f.Add(200, `{"planId":"p","bid":{"planId":"p","status":"ACCEPTED"}}`)
	f.Add(200, `{"data":null,"errors":[{"extensions":{"code":"NEW"}}]}`)
	f.Add(200, `{"data":{"proposals":{"nodes":[],"pageInfo":{"hasNextPage":true,"endCursor":"x"}}}}`)
	f.Add(500, `<html>`)
	f.Add(302, `null`)
	f.Add(200, `[[[[{}]]]]`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		r := wire.NewReply(status, http.Header{}, []byte(body))
		for _, d := range drivers {
			checkPlace(t, d, r)
			checkRead(t, d, r)
		}
	})
}

func checkPlace(t *testing.T, d *Driver, r *wire.Reply) {
	t.Helper()
	verdict := d.classify(t.Context(), (&operation{Driver: d, name: marketplace.OpPlace}).call(nil), r)
	refusal := r.Status >= 400 && r.Status < 500
	switch {
	case verdict == nil && !r.Succeeded():
		t.Fatalf("HTTP %d was taken for success", r.Status)
	case verdict != nil && verdict.Class != onebidv1.ErrorUnknownOutcome && !refusal && !r.Succeeded():
		t.Fatalf("HTTP %d was taken for a refusal: %v", r.Status, verdict)
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

func checkRead(t *testing.T, d *Driver, r *wire.Reply) {
	t.Helper()
	if verdict := d.classify(t.Context(), (&operation{Driver: d, name: marketplace.OpLookup}).call(nil), r); verdict != nil {
		if verdict.Class == onebidv1.ErrorUnknownOutcome {
			t.Fatalf("a read has no outcome: %v", verdict)
		}
		return
	}
	read := &reader{operation: &operation{Driver: d, name: marketplace.OpLookup}, list: d.plan.lookup, seen: map[string]int{},
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
	e, err := compile(itemScope, "f", "item", wantText)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		if !jsonNumber.MatchString(sent) {
			return
		}
		value, err := wire.DecodeJSON([]byte(sent))
		if err != nil {
			t.Fatalf("%s: %v", sent, err)
		}
		got, err := e.Text(t.Context(), map[string]any{"item": value})
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
		value, err := wire.DecodeJSON(raw)
		if err != nil {
			return
		}
		v, err := e.Eval(t.Context(), map[string]any{"item": value})
		if err != nil {
			t.Fatal(err)
		}
		written, err := celeval.JSON(v)
		if err != nil {
			t.Fatal(err)
		}
		again, err := wire.DecodeJSON(written)
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
		var wrong *marketplace.FieldError
		switch {
		case err != nil && !errors.As(err, &wrong):
			t.Fatalf("%q: %v", source, err)
		case err == nil && e != nil:
			_, _ = e.Text(t.Context(), map[string]any{"item": map[string]any{"id": int64(1)}, "response": map[string]any{}})
		}
	})
}
