package httpdriver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

func item(id, state string) string {
	return fmt.Sprintf(`{"id": %q, "posting": "p1", "state": %q}`, id, state)
}

func page(next string, items ...string) string {
	return `{"next": ` + next + `, "items": [` + strings.Join(items, ",") + `]}`
}

func last(items ...string) string { return `{"items": [` + strings.Join(items, ",") + `]}` }

func idsOf(bids []marketplace.Bid) []string {
	out := []string{}
	for _, b := range bids {
		out = append(out, b.ID)
	}
	return out
}

func TestEveryPageIsRead(t *testing.T) {
	g := NewWithT(t)
	// Between the second and the third page a bid moved: it is met twice, and counts as it was seen last.
	s := serve(t, pages(page("2", item("a", "live"), item("b", "live")), page("3"), last(item("b", "gone"), item("c", "live"))))
	bids, err := driver(t, shop(nil), s.URL).Lookup(t.Context(), marketplace.Unpaced{}, "p1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(idsOf(bids)).To(Equal([]string{"a", "b", "c"}))
	g.Expect(bids[1].State).To(Equal(onebidv1.RemoteWithdrawn))
	uris := []string{}
	for _, r := range s.requests() {
		uris = append(uris, r.uri)
	}
	g.Expect(uris).To(Equal([]string{"/bids?posting=p1", "/bids?page=2&posting=p1", "/bids?page=3&posting=p1"}))
}

func TestAListIsNeverCutShort(t *testing.T) {
	for _, c := range []struct {
		why    string
		answer http.HandlerFunc
		want   string
	}{
		{"the page after is the page before", pages(page("2", item("a", "live")), page("2", item("b", "live"))),
			"spec.http.lookup.next leads in a circle"},
		{"the parameter is ignored", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, page("4", item("a", "live")))
		}, "spec.http.lookup.next does not move on"},
		{"without end", func(w http.ResponseWriter, r *http.Request) {
			n := len(r.URL.RawQuery) + len(r.URL.Query().Get("page"))
			body := page(`"`+strings.Repeat("x", n)+`"`, item(fmt.Sprint(n), "live"))
			_, _ = io.WriteString(w, body) //nolint:gosec // no browser reads it
		}, "more than 5 pages"},
		{"no list", pages(`{"items": null}`), "spec.http.lookup.items: gives nothing: must give a list"},
		{"nothing of the kind", pages(`{"data": []}`), "no such key: items"},
		{"one bid that cannot be read", pages(last(item("a", "live"), `{"id": "b"}`)), "item 1: spec.http.bid.posting"},
		{"a bid on another posting", pages(last(item("a", "live"), `{"id": "b", "posting": "p2", "state": "live"}`)),
			`the bid is on the posting "p2" and not on "p1"`},
		{"a second page that fails", pages(page("2", item("a", "live"))), "HTTP 418"},
		{"a next that is no map", pages(`{"items": [], "next": {"a": 1}}`), "spec.http.lookup.next"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			d := driverWith(t, shop(nil), serve(t, c.answer).URL, wire.Options{MaxPages: 5})
			bids, err := d.Lookup(t.Context(), marketplace.Unpaced{}, "p1")
			g.Expect(err).To(beOf(onebidv1.ErrorTransient))
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
			g.Expect(bids).To(BeEmpty())
		})
	}
}

func TestListsByOneStateAtATime(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, last(item(r.URL.Query().Get("state"), "live"), item("both", "live"), item("ended", "gone"), item("odd", "what")))
	})
	d := driver(t, shop(func(d *onebidv1.HTTPDriver) {
		d.List.Variants = []onebidv1.HTTPListVariant{
			{Query: []onebidv1.HTTPParameter{{Name: "state", Value: "'one'"}}}, {Query: []onebidv1.HTTPParameter{{Name: "state", Value: "'two'"}}},
		}
	}), s.URL)
	bids, err := d.List(t.Context(), marketplace.Unpaced{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(idsOf(bids)).To(Equal([]string{"one", "both", "odd", "two"}), "what has ended is left out, what is unknown is not")
}

// TestGraphQL reads pages that are asked for in the body.
func TestGraphQL(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, pages(`{"data": {"bids": [`+item("a", "live")+`], "after": "x"}}`,
		`{"data": {"bids": [`+item("b", "live")+`], "after": null}}`))
	d := driver(t, shop(func(d *onebidv1.HTTPDriver) {
		d.Lookup.Request = onebidv1.HTTPRequest{
			Method: "POST", Path: "'/graphql'",
			Body: "{'query': 'query($p: ID!) {…}', 'variables': {'p': bid.postingID, ?'after': next[?'after']}}",
		}
		d.Lookup.Items = "response.body.data.bids"
		d.Lookup.Next = "response.body.data.after == null ? {} : {'after': response.body.data.after}"
	}), s.URL)
	bids, err := d.Lookup(t.Context(), marketplace.Unpaced{}, "p1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(idsOf(bids)).To(Equal([]string{"a", "b"}))
	g.Expect(s.requests()[0].body).To(ContainSubstring(`"variables":{"p":"p1"}`))
	g.Expect(s.requests()[1].body).To(ContainSubstring(`"variables":{"after":"x","p":"p1"}`))
	g.Expect(s.requests()[1].uri).To(Equal("/graphql"))
}

func TestPagesByNumber(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, pages(last(item("a", "live"), item("b", "live")), last(item("c", "live"))))
	d := driver(t, shop(func(d *onebidv1.HTTPDriver) {
		d.Lookup.Next = "size(response.body.items) == 2 ? {'offset': string(page * 2)} : {}"
	}), s.URL)
	bids, err := d.Lookup(t.Context(), marketplace.Unpaced{}, "p1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bids).To(HaveLen(3))
	g.Expect(s.requests()[1].uri).To(Equal("/bids?offset=2&posting=p1"))
}

// slots lets so many requests through beside the first, and then fails.
type slots struct {
	marketplace.Unpaced
	free int
	err  error
}

func (s *slots) Next(context.Context) error {
	s.free--
	if s.free < 0 {
		return s.err
	}
	return nil
}

func TestFurtherPagesWaitForTheRateLimit(t *testing.T) {
	g := NewWithT(t)
	stop := errors.New("not now")
	s := serve(t, pages(page("2", item("a", "live")), page("3", item("b", "live")), last(item("c", "live"))))
	d := driver(t, shop(nil), s.URL)
	_, err := d.Lookup(t.Context(), &slots{free: 1, err: stop}, "p1")
	g.Expect(err).To(MatchError(stop))
	g.Expect(err).To(beOf(onebidv1.ErrorTransient))
	g.Expect(s.requests()).To(HaveLen(2), "the caller has waited for the first page, and there is no slot for the third")
}

// withAccount says who we are.
func withAccount(d *onebidv1.HTTPDriver) {
	d.Account = &onebidv1.HTTPAccount{
		Request: onebidv1.HTTPRequest{Method: "GET", Path: "'/me'"}, AccountID: "response.body.id",
	}
}

func TestTheAccountDoesNotChange(t *testing.T) {
	g := NewWithT(t)
	who := "us"
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintf(w, `{"id": %q}`, who) })
	d := driver(t, shop(withAccount), s.URL)
	g.Expect(d.Account(t.Context(), marketplace.Unpaced{})).To(Equal("us"))
	who = "somebody else"
	_, err := d.Account(t.Context(), marketplace.Unpaced{})
	g.Expect(err).To(beOf(onebidv1.ErrorAuth), "%v", err)
}

func TestTheAccountInRequests(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/me" {
			_, _ = io.WriteString(w, `{"id": 501}`)
			return
		}
		_, _ = io.WriteString(w, item("b1", "live"))
	})
	d := driver(t, shop(func(d *onebidv1.HTTPDriver) {
		withAccount(d)
		d.Place.Request.Body = "{'bidder': number(account)}"
	}), s.URL)
	for range 2 {
		_, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(s.requests()).To(HaveLen(3), "asked for once")
	g.Expect(s.requests()[1].body).To(Equal(`{"bidder":501}`))

	refusing := serve(t, reply(http.StatusInternalServerError, ""))
	d = driver(t, shop(func(d *onebidv1.HTTPDriver) {
		withAccount(d)
		d.Place.Request.Body = "{'bidder': account}"
	}), refusing.URL)
	_, err := d.Place(t.Context(), marketplace.Unpaced{}, bid())
	g.Expect(err).To(beOf(onebidv1.ErrorTransient), "the place itself was never sent")
	g.Expect(refusing.requests()).To(HaveLen(1))
}

// A bid that is not found may be taken for one that is gone.
func TestAMissingAccountIsNotAMissingBid(t *testing.T) {
	g := NewWithT(t)
	d := driver(t, shop(func(d *onebidv1.HTTPDriver) {
		withAccount(d)
		d.Get.Request.Path = "'/of/' + account + '/bids/' + pathEscape(remote.id)"
	}), serve(t, reply(http.StatusNotFound, "")).URL)
	_, err := d.Get(t.Context(), marketplace.Unpaced{}, ref)
	g.Expect(err).To(beOf(onebidv1.ErrorTransient), "%v", err)
}

func TestGetWithoutACallForIt(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, reply(http.StatusOK, last(item("b0", "gone"), item("b1", "live"))))
	d := driver(t, shop(func(d *onebidv1.HTTPDriver) { d.Get = nil }), s.URL)
	got, err := d.Get(t.Context(), marketplace.Unpaced{}, ref)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got.ID).To(Equal("b1"))
	_, err = d.Get(t.Context(), marketplace.Unpaced{}, marketplace.Ref{BidID: "b9", PostingID: "p1"})
	g.Expect(err).To(beOf(onebidv1.ErrorNotFound))
	_, err = d.Get(t.Context(), marketplace.Unpaced{}, marketplace.Ref{BidID: "b1"})
	g.Expect(err).To(beOf(onebidv1.ErrorInvalid))
}

func TestGetMustGiveTheBidThatWasAskedFor(t *testing.T) {
	g := NewWithT(t)
	d := driver(t, shop(nil), serve(t, reply(http.StatusOK, item("b2", "gone"))).URL)
	_, err := d.Get(t.Context(), marketplace.Unpaced{}, ref)
	g.Expect(err).To(beOf(onebidv1.ErrorTransient), "%v", err)
}

func TestWhatADriverCannotDo(t *testing.T) {
	g := NewWithT(t)
	d := driver(t, shop(func(d *onebidv1.HTTPDriver) { d.List, d.Withdraw = nil, nil }), "http://127.0.0.1:1")
	_, err := d.List(t.Context(), marketplace.Unpaced{})
	g.Expect(err).To(beOf(onebidv1.ErrorInvalid))
	g.Expect(d.Withdraw(t.Context(), marketplace.Unpaced{}, ref, "")).To(beOf(onebidv1.ErrorNotWithdrawable))
	d = driver(t, shop(func(d *onebidv1.HTTPDriver) {
		d.Withdraw.Request.Path = "'/' + remote.postingID + '/' + remote.id"
	}), "http://127.0.0.1:1")
	for why, incomplete := range map[string]marketplace.Ref{
		"the posting is not known": {BidID: "b1"}, "never by posting": {PostingID: "p1"},
	} {
		g.Expect(d.Withdraw(t.Context(), marketplace.Unpaced{}, incomplete, "")).To(beOf(onebidv1.ErrorInvalid), why)
	}
}
