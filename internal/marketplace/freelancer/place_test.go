package freelancer_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

func TestWhatIsSentToPlace(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, map[string][]answer{"POST bids/": {ok(success)}})
	spec := sample(t)
	spec.Freelancer.ProfileID, spec.Freelancer.MilestonePercentage = 33, new(int32(0))
	p := request()
	p.Price.Amount, p.Proposal = "99999999999999.10", text+" R&D <soon>"
	got, err := open(t, spec, s.URL, token).Place(t.Context(), marketplace.Unpaced{}, p)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got).To(Equal(marketplace.Bid{
		ID: "77", PostingID: "9001", State: onebidv1.RemoteLive, Word: "active", Amount: "250.0", Currency: "USD",
		URL: s.URL + "/projects/9001", PlacedAt: time.Unix(1_700_000_000, 0).UTC(),
	}))
	sent := s.of("POST bids/")
	g.Expect(sent).To(HaveLen(1))
	g.Expect(sent[0].body).To(Equal(`{"project_id":9001,"bidder_id":501,"amount":99999999999999.10,"period":7,` +
		`"milestone_percentage":0,"description":"` + text + ` R&D <soon>","profile_id":33}`))
	g.Expect(sent[0].header).To(And(
		HaveKeyWithValue("Freelancer-Oauth-V1", []string{token}), HaveKeyWithValue("Content-Type", []string{"application/json"}),
		HaveKeyWithValue("Connection", []string{"close"}), Not(HaveKey("Authorization")),
	))
}

func TestWhatIsWrongIsNotSent(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*marketplace.PlaceRequest)
		want   string
	}{
		"no number":   {func(p *marketplace.PlaceRequest) { p.PostingID = "007" }, `spec.postingID: "007" must be the ID of a project`},
		"a path":      {func(p *marketplace.PlaceRequest) { p.PostingID = "../1" }, `must be the ID of a project`},
		"nothing":     {func(p *marketplace.PlaceRequest) { p.Price.Amount = "0.00" }, `spec.price.amount: "0.00" must be a decimal above 0`},
		"an exponent": {func(p *marketplace.PlaceRequest) { p.Price.Amount = "1e3" }, `spec.price.amount: "1e3" must be`},
		"no days":     {func(p *marketplace.PlaceRequest) { p.DeliveryDays = 0 }, `spec.deliveryDays: 0 must be 1 or more`},
		"too short": {
			func(p *marketplace.PlaceRequest) { p.Proposal = strings.Repeat("é", 99) + "\n " }, `spec.proposal: has 99 characters and must have 100`,
		},
		"no text": {func(p *marketplace.PlaceRequest) { p.Proposal = text + "\xff" }, `spec.proposal: must be UTF-8`},
		"e-mail": {
			func(p *marketplace.PlaceRequest) { p.Proposal += " Write to jane.doe@example.com." }, `spec.proposal: must not hold an e-mail address`,
		},
		"a page":       {func(p *marketplace.PlaceRequest) { p.Proposal += " See WWW.example.com" }, `must not hold a URL`},
		"a URL":        {func(p *marketplace.PlaceRequest) { p.Proposal += " See https://example.com/me" }, `must not hold a URL`},
		"a number":     {func(p *marketplace.PlaceRequest) { p.Proposal += " Call +49 (30) 901-820" }, `must not hold a telephone number`},
		"one of there": {func(p *marketplace.PlaceRequest) { p.Proposal += " Call (555) 123-4567" }, `must not hold a telephone number`},
		"all at once": {
			func(p *marketplace.PlaceRequest) { p.DeliveryDays, p.Proposal = -1, "short" }, "-1 must be 1 or more spec.proposal: has 5",
		},
		"other money": {
			func(p *marketplace.PlaceRequest) { p.Price.Currency = "EUR" }, `spec.price.currency: EUR must be USD, the currency of the project`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := serve(t, nil)
			p := request()
			c.change(&p)
			_, err := driver(t, s).Place(t.Context(), marketplace.Unpaced{}, p)
			g.Expect(err).To(beOf(onebidv1.ErrorInvalid))
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
			g.Expect(s.of("POST bids/")).To(BeEmpty())
			_, err = driver(t, s).Preview(t.Context(), p)
			if name != "other money" { // nobody but the site knows the project's
				g.Expect(err).To(MatchError(ContainSubstring(c.want)))
			}
		})
	}
}

func TestPreview(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, nil)
	d := driver(t, s)
	for _, bidder := range []string{`"[account]"`, "501"} {
		shown, err := d.Preview(t.Context(), request())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(shown.Method + " " + shown.URL).To(Equal("POST " + s.URL + "/api/projects/0.1/bids/"))
		g.Expect(shown.Headers).To(HaveKeyWithValue("Freelancer-Oauth-V1", marketplace.Redacted))
		g.Expect(shown.Body).To(Equal(`{"project_id":9001,"bidder_id":` + bidder + `,"amount":250.00,"period":7,` +
			`"milestone_percentage":50,"description":"[proposal of ` + strconv.Itoa(len(text)) + ` characters]"}`))
		_, err = d.Account(t.Context(), marketplace.Unpaced{})
		g.Expect(err).NotTo(HaveOccurred())
	}
}

// TestWhatLooksLikeContactsIsSent: a bid that is refused here is given up, so only what is beyond doubt is.
func TestWhatLooksLikeContactsIsSent(t *testing.T) {
	s := serve(t, map[string][]answer{"POST bids/": {ok(success)}})
	d := driver(t, s)
	for _, words := range []string{
		"Node.js, ASP.NET 4.8", "from 2019-01-01 to 2026-11-23", "1.000.000 rows at 99.95 %", "10 - 12 days @ 3 a day", "C++ 17 2020",
		"10,000,000,000 and 555-1234", "we use http and wwwroot", "next@14.1 with @types/node@18.2.1", "C++11 - 14 - 17 and C++20 (2020-2023)",
	} {
		p := request()
		p.Proposal += " " + words
		_, err := d.Place(t.Context(), marketplace.Unpaced{}, p)
		NewWithT(t).Expect(err).NotTo(HaveOccurred(), words)
	}
}

func TestACurrencyIsRememberedForAMinute(t *testing.T) {
	g := NewWithT(t)
	euros := strings.ReplaceAll(dollars, "USD", "EUR")
	s := serve(t, map[string][]answer{"POST bids/": {ok(success)}, "GET projects/9001/": {ok(dollars), ok(euros)}})
	now := time.Unix(1_800_000_000, 0)
	d := driverWith(t, s, wire.Options{Now: func() time.Time { return now }})
	for range 3 {
		_, err := d.Place(t.Context(), marketplace.Unpaced{}, request())
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(s.of("GET projects/9001/")).To(HaveLen(1))
	now = now.Add(time.Minute)
	_, err := d.Place(t.Context(), marketplace.Unpaced{}, request())
	g.Expect(err).To(MatchError(ContainSubstring("USD must be EUR")))
	g.Expect(s.of("POST bids/")).To(HaveLen(3))
}

// TestReadsBeforeAPlaceLeaveNothingOpen although a place that gets the same answers may have had its effect.
func TestReadsBeforeAPlaceLeaveNothingOpen(t *testing.T) {
	for route, missing := range map[string]onebidv1.ErrorClass{
		"GET self/": onebidv1.ErrorTransient, "GET projects/9001/": onebidv1.ErrorNotFound,
	} {
		for _, c := range []struct {
			answer answer
			want   onebidv1.ErrorClass
		}{
			{answer{500, "{}", nil}, onebidv1.ErrorTransient},
			{answer{409, "{}", nil}, onebidv1.ErrorTransient},
			{answer{302, "{}", nil}, onebidv1.ErrorTransient},
			{ok("<html>"), onebidv1.ErrorTransient},
			{ok(`{"status":"success","result":null}`), onebidv1.ErrorTransient},
			{ok(`{"status":"success","result":{"id":5.5}}`), onebidv1.ErrorTransient},
			{ok(`{"status":"success","result":[]}`), onebidv1.ErrorTransient},
			{answer{404, `{"status":"error","error_code":"ProjectExceptionCodes.PROJECT_NOT_FOUND"}`, nil}, missing},
			{answer{429, "{}", http.Header{"Retry-After": {"9"}}}, onebidv1.ErrorRateLimited},
		} {
			g := NewWithT(t)
			s := serve(t, map[string][]answer{route: {c.answer}})
			_, err := driver(t, s).Place(t.Context(), marketplace.Unpaced{}, request())
			g.Expect(err).To(beOf(c.want), "%s %v: %v", route, c.answer, err)
			g.Expect(s.of("POST bids/")).To(BeEmpty())
		}
	}
}

// TestAnAnswerAboutAnotherBidIsNone, nor one that tells too little: the bid may be there all the same.
func TestAnAnswerAboutAnotherBidIsNone(t *testing.T) {
	for why, body := range map[string]string{
		"another project":  strings.Replace(success, "9001", "9002", 1),
		"another bidder":   strings.Replace(success, "501", "502", 1),
		"no ID":            strings.Replace(success, `"id":77,`, "", 1),
		"ID zero":          strings.Replace(success, `"id":77`, `"id":0`, 1),
		"a word for an ID": strings.Replace(success, `"id":77`, `"id":"next"`, 1),
		"no result":        `{"status":"success"}`,
		"no status":        `{"result":` + bid1 + `}`,
		"a list":           `[` + success + `]`,
		"nothing":          "",
		"a page":           "<html>welcome</html>",
		"two":              success + success,
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			s := serve(t, map[string][]answer{"POST bids/": {ok(body)}})
			_, err := driver(t, s).Place(t.Context(), marketplace.Unpaced{}, request())
			g.Expect(err).To(beOf(onebidv1.ErrorUnknownOutcome), "%v", err)
			g.Expect(s.of("POST bids/")).To(HaveLen(1))
		})
	}
}

func TestErrorsAreDiscreet(t *testing.T) {
	g := NewWithT(t)
	said := `{"status":"error","error_code":"X","message":"` + text[:80] + ` ` + token + `"}`
	s := serve(t, map[string][]answer{"POST bids/": {{http.StatusBadRequest, said, nil}}})
	_, err := driver(t, s).Place(t.Context(), marketplace.Unpaced{}, request())
	g.Expect(err).To(MatchError("place: Invalid: HTTP 400: X: […] […]"))
}
