package freelancer_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

// TestWhatARefusalMeans: code before status, in both shapes of errors and with any status, but a 5xx to a write is never
// a refusal.
func TestWhatARefusalMeans(t *testing.T) {
	const unknown, transient = onebidv1.ErrorUnknownOutcome, onebidv1.ErrorTransient
	for _, c := range []struct {
		code        string
		status      int
		place, read onebidv1.ErrorClass
	}{
		{"ProjectExceptionCodes.DUPLICATE_BID", 409, onebidv1.ErrorAlreadyExists, onebidv1.ErrorAlreadyExists},
		{"ProjectExceptionCodes.DUPLICATE_BID", 200, onebidv1.ErrorAlreadyExists, onebidv1.ErrorAlreadyExists},
		{"ProjectExceptionCodes.ALREADY_BID_ON_PROJECT", 403, onebidv1.ErrorAlreadyExists, onebidv1.ErrorAlreadyExists},
		{"ProjectExceptionCodes.BID_LIMIT_EXCEEDED", 403, onebidv1.ErrorQuotaExhausted, onebidv1.ErrorQuotaExhausted},
		{"ProjectExceptionCodes.BID_AMOUNT_INVALID", 403, onebidv1.ErrorInvalid, onebidv1.ErrorInvalid},
		{"ProjectExceptionCodes.BID_DESCRIPTION_EMAIL", 409, onebidv1.ErrorInvalid, onebidv1.ErrorInvalid},
		{"ProjectExceptionCodes.PROJECT_NOT_ACTIVE", 409, onebidv1.ErrorPostingClosed, onebidv1.ErrorPostingClosed},
		{"ProjectExceptionCodes.PROJECT_NOT_FOUND", 400, onebidv1.ErrorNotFound, onebidv1.ErrorNotFound},
		{"ProjectExceptionCodes.RESTRICTED_FROM_BIDDING_PREMIUM", 400, onebidv1.ErrorForbidden, onebidv1.ErrorForbidden},
		{"ProjectExceptionCodes.BID_MINIMUM_REQUIREMENT_NOT_MET", 200, onebidv1.ErrorForbidden, onebidv1.ErrorForbidden},
		{"RestExceptionCodes.NOT_AUTHENTICATED", 403, onebidv1.ErrorAuth, onebidv1.ErrorAuth},
		{"RestExceptionCodes.BAD_FORM", 409, onebidv1.ErrorInvalid, onebidv1.ErrorInvalid},
		{"TOO_MANY_REQUESTS", 403, onebidv1.ErrorRateLimited, onebidv1.ErrorRateLimited},
		{"UserExceptionCodes.GAF_EXCEPTION", 400, unknown, transient},
		{"ProjectExceptionCodes.DUPLICATE_BID", 500, unknown, onebidv1.ErrorAlreadyExists},
		{"ProjectExceptionCodes.DUPLICATE_BID", 302, unknown, onebidv1.ErrorAlreadyExists},
		{"ProjectExceptionCodes.SOMETHING_NEW", 400, onebidv1.ErrorInvalid, onebidv1.ErrorInvalid},
		{"ProjectExceptionCodes.SOMETHING_NEW", 403, onebidv1.ErrorForbidden, onebidv1.ErrorForbidden},
		{"ProjectExceptionCodes.SOMETHING_NEW", 409, onebidv1.ErrorAlreadyExists, transient},
		{"ProjectExceptionCodes.SOMETHING_NEW", 405, unknown, transient},
		{"ProjectExceptionCodes.SOMETHING_NEW", 200, unknown, transient},
		{"", 200, unknown, transient},
	} {
		for shape, body := range map[string]string{
			"flat":   `{"status":"error","message":"no","error_code":"` + c.code + `","request_id":"r4"}`,
			"nested": `{"status":"error","error":{"code":"` + c.code + `","detail":"no","http_code":418},"request_id":"r4"}`,
		} {
			t.Run(fmt.Sprintf("%d %s %s", c.status, c.code, shape), func(t *testing.T) {
				g := NewWithT(t)
				refusal := []answer{{c.status, body, nil}}
				s := serve(t, map[string][]answer{"POST bids/": refusal, "GET bids/": refusal, "GET bids/77/": refusal})
				d := driver(t, s)
				_, err := d.Place(t.Context(), marketplace.Unpaced{}, request())
				g.Expect(err).To(beOf(c.place), "place: %v", err)
				g.Expect(err).To(MatchError(ContainSubstring("no")))
				_, err = d.Lookup(t.Context(), marketplace.Unpaced{}, "9001")
				g.Expect(err).To(beOf(c.read), "lookup: %v", err)
				_, err = d.Get(t.Context(), marketplace.Unpaced{}, ref)
				g.Expect(err).To(beOf(c.read), "get: %v", err)
				g.Expect(s.of("POST bids/")).To(HaveLen(1))
				g.Expect(s.of("GET bids/")).To(HaveLen(1))
			})
		}
	}
}

func TestHowLongToWait(t *testing.T) {
	for want, header := range map[time.Duration]http.Header{
		17 * time.Second: {"Retry-After": {"17"}, "Ratelimit-Limit": {"5;window=3"}},
		23 * time.Second: {"X-Ratelimit-Reset": {"23"}},
		time.Minute:      {"Ratelimit-Limit": {"200, 1000;window=3600, 200;window=60"}},
		time.Hour:        {"X-Ratelimit-Limit": {"1000;window=3600, 7;window=x, 8;window=0"}},
		0:                {"Ratelimit-Limit": {"200"}},
	} {
		g := NewWithT(t)
		s := serve(t, map[string][]answer{"POST bids/": {{http.StatusTooManyRequests, "{}", header}}})
		_, err := driver(t, s).Place(t.Context(), marketplace.Unpaced{}, request())
		g.Expect(err).To(beOf(onebidv1.ErrorRateLimited))
		g.Expect(marketplace.RetryAfter(err)).To(Equal(want), "%v", header)
	}
}

func TestStates(t *testing.T) {
	project := func(more string) answer {
		return ok(`{"status":"success","result":{"projects":[{"id":9001,` + more + `,"currency":{"code":"USD"}}]}}`)
	}
	active := project(`"status":"active"`)
	for name, c := range map[string]struct {
		bid     string
		project answer
		want    onebidv1.RemoteState
		word    string
	}{
		"live":                      {`"retracted":false,"award_status":null`, active, onebidv1.RemoteLive, "active"},
		"live, said by leaving out": {`"frontend_bid_status":"complete"`, active, onebidv1.RemoteLive, "active"},
		"bidding is over": {
			`"award_status":null`, project(`"status":"frozen","sub_status":"frozen_timeout"`), onebidv1.RemoteLive, "active",
		},
		"closed": {
			`"award_status":null`, project(`"status":"closed","sub_status":null`), onebidv1.RemoteExpired, "project closed",
		},
		"won by somebody": {
			`"award_status":null`, project(`"status":"closed","sub_status":"closed_awarded"`), onebidv1.RemoteLost, "project closed_awarded",
		},
		"hidden": {
			`"award_status":null`, ok(`{"status":"success","result":{"projects":[]}}`), onebidv1.RemoteLive, "active",
		},
		"retracted":         {`"retracted":true,"award_status":null`, active, onebidv1.RemoteWithdrawn, "retracted"},
		"we are asked":      {`"award_status":"pending"`, project(`"status":"closed"`), onebidv1.RemoteAwardPending, "pending"},
		"we said yes":       {`"award_status":"awarded"`, active, onebidv1.RemoteWon, "awarded"},
		"we said no":        {`"award_status":"rejected"`, active, onebidv1.RemoteLost, "rejected"},
		"they took it back": {`"award_status":"revoked"`, active, onebidv1.RemoteLost, "revoked"},
		"called off":        {`"award_status":"canceled"`, active, onebidv1.RemoteLost, "canceled"},
		"a new word":        {`"award_status":"shortlisted"`, active, onebidv1.RemoteUnknown, "shortlisted"},
		"no word":           {`"award_status":""`, active, onebidv1.RemoteUnknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			shown := `{"id":77,"project_id":9001,"bidder_id":501,` + c.bid + `}`
			list := `{"status":"success","result":{"bids":[` + shown + `]}}`
			s := serve(t, map[string][]answer{
				"GET bids/77/": {ok(`{"status":"success","result":` + shown + `}`)}, "GET projects/": {c.project},
				"GET bids/": {ok(list), ok(noBids), ok(list), ok(noBids)},
			})
			d := driver(t, s)
			got, err := d.Get(t.Context(), marketplace.Unpaced{}, ref)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got.State).To(Equal(c.want))
			g.Expect(got.Word).To(Equal(c.word))
			found, err := d.Lookup(t.Context(), marketplace.Unpaced{}, "9001")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(found).To(ConsistOf(got))
			open, err := d.List(t.Context(), marketplace.Unpaced{})
			g.Expect(err).NotTo(HaveOccurred())
			if got.Open() {
				g.Expect(open).To(ConsistOf(got))
			} else {
				g.Expect(open).To(BeEmpty())
			}
		})
	}
}

func TestGetMustGiveTheBidThatWasAskedFor(t *testing.T) {
	for why, c := range map[string]struct {
		body string
		want onebidv1.ErrorClass
	}{
		"another bid":       {strings.Replace(success, "77", "78", 1), onebidv1.ErrorTransient},
		"another project":   {strings.Replace(success, "9001", "9002", 1), onebidv1.ErrorTransient},
		"somebody else's":   {strings.Replace(success, "501", "502", 1), onebidv1.ErrorNotFound},
		"nobody's":          {strings.Replace(success, `"bidder_id":501`, `"bidder_id":null`, 1), onebidv1.ErrorTransient},
		"no project at all": {strings.Replace(success, `"project_id":9001`, `"project_id":null`, 1), onebidv1.ErrorTransient},
	} {
		t.Run(why, func(t *testing.T) {
			s := serve(t, map[string][]answer{"GET bids/77/": {ok(c.body)}})
			_, err := driver(t, s).Get(t.Context(), marketplace.Unpaced{}, ref)
			NewWithT(t).Expect(err).To(beOf(c.want), "%v", err)
		})
	}
}

// TestWhatIsMissingIsNotTheBid: a bid that is not found may be taken for one that is gone.
func TestWhatIsMissingIsNotTheBid(t *testing.T) {
	g := NewWithT(t)
	missing := answer{http.StatusNotFound, "{}", nil}
	s := serve(t, map[string][]answer{"GET bids/77/": {ok(success)}, "GET self/": {missing}})
	_, err := driver(t, s).Get(t.Context(), marketplace.Unpaced{}, ref)
	g.Expect(err).To(beOf(onebidv1.ErrorTransient))
	for _, status := range []int{http.StatusNotFound, http.StatusForbidden} {
		s = serve(t, map[string][]answer{"GET bids/77/": {ok(success)}, "GET projects/": {{status, "{}", nil}}})
		got, err := driver(t, s).Get(t.Context(), marketplace.Unpaced{}, ref)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(got.State).To(Equal(onebidv1.RemoteLive))
	}
	s = serve(t, map[string][]answer{"GET bids/77/": {ok(success)}, "GET projects/": {{http.StatusBadGateway, "", nil}}})
	_, err = driver(t, s).Get(t.Context(), marketplace.Unpaced{}, ref)
	g.Expect(err).To(beOf(onebidv1.ErrorTransient))
}

const noBids = `{"status":"success","result":{"bids":[]}}`

// bids is a page of them, on the one project.
func bids(ids ...int) answer {
	var items []string
	for _, id := range ids {
		items = append(items, fmt.Sprintf(`{"id":%d,"project_id":9001,"bidder_id":501}`, id))
	}
	return ok(`{"status":"success","result":{"bids":[` + strings.Join(items, ",") + `]}}`)
}

func TestListsAreReadToTheEnd(t *testing.T) {
	const changed = "the list changed while it was read"
	for name, c := range map[string]struct {
		pages   []answer
		found   []string
		offsets []string
		err     string
	}{
		"none": {[]answer{bids()}, []string{}, []string{"0"}, ""},
		"one":  {[]answer{bids(1), bids()}, []string{"1"}, []string{"0", "1"}, ""},
		"fewer than were asked for": {
			[]answer{bids(1, 2, 3), bids(3, 4, 5), bids(5)}, []string{"1", "2", "3", "4", "5"}, []string{"0", "2", "4"}, "",
		},
		"one at a time": {[]answer{bids(1), bids(2), bids()}, []string{"1", "2"}, []string{"0", "1", "2"}, ""},
		"a new one came first": {
			[]answer{bids(3, 2), bids(3, 2), bids(2, 1), bids(1)}, []string{"1", "2", "3"}, []string{"0", "1", "2", "3"}, "",
		},
		"one went":     {[]answer{bids(1, 2, 3), bids(4, 5)}, nil, []string{"0", "2"}, changed},
		"many went":    {[]answer{bids(1, 2, 3), bids()}, nil, []string{"0", "2"}, changed},
		"a page fails": {[]answer{bids(1, 2), {500, "", nil}}, nil, []string{"0", "1"}, "HTTP 500"},
		"no list":      {[]answer{ok(`{"status":"success","result":{"bids":null}}`)}, nil, []string{"0"}, "no list of bids"},
		"of other projects": {
			[]answer{ok(strings.ReplaceAll(bids(1).body, "9001", "9002"))}, nil, []string{"0"}, "is on the project 9002 and not on 9001",
		},
		"of other bidders": {
			[]answer{ok(strings.ReplaceAll(bids(1).body, "501", "502"))}, nil, []string{"0"}, "is not of our account, 501",
		},
		"an offset nobody heeds": {[]answer{bids(1, 2, 3)}, nil, []string{"0", "2", "4"}, "does not move on"},
		"without an end": {
			[]answer{bids(1, 2), bids(2, 3), bids(3, 4), bids(4, 5), bids(5, 6)}, nil, []string{"0", "1", "2", "3"}, "more than 4 pages",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := serve(t, map[string][]answer{"GET bids/": c.pages})
			found, err := driverWith(t, s, wire.Options{MaxPages: 4}).Lookup(t.Context(), marketplace.Unpaced{}, "9001")
			var offsets, ids []string
			for _, r := range s.of("GET bids/") {
				query, err := url.ParseQuery(r.query)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(query).To(And(HaveKeyWithValue("bidders[]", []string{"501"}), HaveKeyWithValue("projects[]", []string{"9001"}),
					HaveKeyWithValue("limit", []string{"100"})))
				offsets = append(offsets, query.Get("offset"))
			}
			g.Expect(offsets).To(Equal(c.offsets))
			if c.err != "" {
				g.Expect(err).To(beOf(onebidv1.ErrorTransient))
				g.Expect(err).To(MatchError(ContainSubstring(c.err)))
				g.Expect(found).To(BeNil())
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			for _, b := range found {
				ids = append(ids, b.ID)
			}
			g.Expect(ids).To(ConsistOf(c.found))
		})
	}
}

func TestTheAccountDoesNotChange(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, map[string][]answer{"GET self/": {ok(self), ok(strings.Replace(self, "501", "502", 1))}})
	d := driver(t, s)
	g.Expect(d.Account(t.Context(), marketplace.Unpaced{})).To(Equal("501"))
	_, err := d.Account(t.Context(), marketplace.Unpaced{})
	g.Expect(err).To(beOf(onebidv1.ErrorAuth))
}

// TestManyProjectsAreReadAFewAtATime, and only those of bids that are live.
func TestManyProjectsAreReadAFewAtATime(t *testing.T) {
	g := NewWithT(t)
	var items []string
	for i := range 60 {
		items = append(items, fmt.Sprintf(`{"id":%d,"project_id":%d,"bidder_id":501,"retracted":%t}`, i+1, 9000+i, i >= 55))
	}
	page := ok(`{"status":"success","result":{"bids":[` + strings.Join(items, ",") + `]}}`)
	last := ok(`{"status":"success","result":{"bids":[` + items[59] + `]}}`)
	s := serve(t, map[string][]answer{"GET bids/": {page, last}})
	open, err := driver(t, s).List(t.Context(), marketplace.Unpaced{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(open).To(HaveLen(55))
	asked := map[string]bool{}
	requests := s.of("GET projects/")
	g.Expect(requests).To(HaveLen(2))
	for _, r := range requests {
		query, err := url.ParseQuery(r.query)
		g.Expect(err).NotTo(HaveOccurred())
		for _, id := range query["projects[]"] {
			asked[id] = true
		}
	}
	g.Expect(asked).To(HaveLen(55))
}
