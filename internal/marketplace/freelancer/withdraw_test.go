package freelancer_test

import (
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketsim"
	"github.com/onebid-dev/onebid/internal/testenv/simulated"
)

const (
	retract = "PUT bids/77/"
	badForm = `{"status":"error","error_code":"RestExceptionCodes.BAD_FORM","message":"bad form"}`
)

func bodies(requests []seen) []string {
	var out []string
	for _, r := range requests {
		out = append(out, r.header.Get("Content-Type")+" "+r.query+r.body)
	}
	return out
}

const (
	form = "application/x-www-form-urlencoded action=retract"
	json = `application/json {"action":"retract"}`
)

// TestTheEncodingOfARetraction: only a documented refusal of the encoding is followed by a second request, and what the
// site took is what it is sent next time.
func TestTheEncodingOfARetraction(t *testing.T) {
	for name, c := range map[string]struct {
		answers []answer
		want    onebidv1.ErrorClass
		sent    []string
	}{
		"a form will do":            {[]answer{ok(done)}, "", []string{form, form}},
		"a form is no method":       {[]answer{{405, "", nil}, ok(done)}, "", []string{form, json, json}},
		"a form is bad":             {[]answer{{400, badForm, nil}, ok(done)}, "", []string{form, json, json}},
		"a form is bad, as a 200":   {[]answer{ok(badForm), ok(done)}, "", []string{form, json, json}},
		"it forgets what it took":   {[]answer{ok(badForm), ok(done), ok(badForm), ok(done)}, "", []string{form, json, json, form}},
		"neither will do":           {[]answer{ok(badForm)}, onebidv1.ErrorInvalid, []string{form, json, form, json}},
		"bad, but an error of its":  {[]answer{{500, badForm, nil}}, onebidv1.ErrorUnknownOutcome, []string{form, form}},
		"a refusal for good":        {[]answer{{403, "{}", nil}}, onebidv1.ErrorForbidden, []string{form, form}},
		"an answer that is unclear": {[]answer{ok("{}")}, onebidv1.ErrorUnknownOutcome, []string{form, form}},
		"the second is unclear": {
			[]answer{{405, "", nil}, {502, "", nil}, {405, "", nil}, {502, "", nil}}, onebidv1.ErrorUnknownOutcome,
			[]string{form, json, form, json},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := serve(t, map[string][]answer{retract: c.answers, "GET bids/77/": {ok(success)}})
			d := driver(t, s)
			for range 2 {
				g.Expect(d.Withdraw(t.Context(), marketplace.Unpaced{}, ref, "we lost interest")).To(beOf(c.want))
			}
			g.Expect(bodies(s.of(retract))).To(Equal(c.sent))
		})
	}
}

// TestEitherEncodingAtTheSimulator learns at a marketplace that takes one only.
func TestEitherEncodingAtTheSimulator(t *testing.T) {
	for _, taken := range []marketsim.Retract{marketsim.RetractForm, marketsim.RetractJSON} {
		g := NewWithT(t)
		sim := simulated.Start(t)
		market := put(t, sim, marketsim.Freelancer{Retract: taken}, 100)
		d := open(t, sample(t), sim.MarketURL(market), token)
		placed, err := d.Place(t.Context(), marketplace.Unpaced{}, request())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(d.Withdraw(t.Context(), marketplace.Unpaced{}, marketplace.Ref{BidID: placed.ID, PostingID: "9001"}, "")).To(Succeed())
		g.Expect(sim.Live(t.Context(), market)).To(BeEmpty(), "%s", taken)
	}
}

// TestWhyARetractionWasRefused: the codes are not known, so the bid is read.
func TestWhyARetractionWasRefused(t *testing.T) {
	award := func(word string) string {
		return strings.Replace(success, `"award_status":null`, `"award_status":"`+word+`"`, 1)
	}
	const refusal = `{"status":"error","error_code":"ProjectExceptionCodes.NO_ONE_KNOWS","message":"no"}`
	for name, c := range map[string]struct {
		status int
		bid    answer
		want   onebidv1.ErrorClass
	}{
		"it is retracted":     {400, ok(strings.Replace(success, `"retracted":false`, `"retracted":true`, 1)), onebidv1.ErrorAlreadyWithdrawn},
		"it lapsed":           {409, ok(award("revoked")), onebidv1.ErrorAlreadyWithdrawn},
		"an award waits":      {403, ok(award("pending")), onebidv1.ErrorNotWithdrawable},
		"it was won":          {404, ok(award("awarded")), onebidv1.ErrorNotWithdrawable},
		"nobody knows":        {400, ok(award("considered")), onebidv1.ErrorInvalid},
		"it is live":          {403, ok(success), onebidv1.ErrorForbidden},
		"it cannot be read":   {400, answer{500, "", nil}, onebidv1.ErrorInvalid},
		"it is not there":     {404, answer{404, refusal, nil}, onebidv1.ErrorNotFound},
		"too many":            {429, ok(award("pending")), onebidv1.ErrorRateLimited},
		"nobody is known":     {401, ok(award("pending")), onebidv1.ErrorAuth},
		"it may have worked":  {500, ok(award("pending")), onebidv1.ErrorUnknownOutcome},
		"an error as success": {200, ok(award("pending")), onebidv1.ErrorUnknownOutcome},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := serve(t, map[string][]answer{retract: {{c.status, refusal, nil}}, "GET bids/77/": {c.bid}})
			g.Expect(driver(t, s).Withdraw(t.Context(), marketplace.Unpaced{}, ref, "")).To(beOf(c.want))
			g.Expect(s.of(retract)).To(HaveLen(1))
		})
	}
}

func TestOnlyNumbersAreWithdrawn(t *testing.T) {
	g := NewWithT(t)
	s := serve(t, nil)
	for _, id := range []string{"", "77/../78", "0", "-1", "x"} {
		g.Expect(driver(t, s).Withdraw(t.Context(), marketplace.Unpaced{}, marketplace.Ref{BidID: id}, "")).To(beOf(onebidv1.ErrorInvalid))
		_, err := driver(t, s).Get(t.Context(), marketplace.Unpaced{}, marketplace.Ref{BidID: id})
		g.Expect(err).To(beOf(onebidv1.ErrorInvalid))
	}
	g.Expect(s.of(http.MethodGet + " self/")).To(BeEmpty())
}
