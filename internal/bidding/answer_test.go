package bidding_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/bidding"
)

func said(value string) func(*onebidv1.Bid) {
	return func(bid *onebidv1.Bid) { bid.Annotations = map[string]string{onebidv1.AnnotationResolve: value} }
}

var undecidable = bidding.Undecidable("no trace")

func TestAnAnswerIsToOneQuestion(t *testing.T) {
	for _, tc := range []struct {
		why  string
		bid  *onebidv1.Bid
		want string
	}{
		{"nobody said anything", newBid(noted(unknown, undecidable)), ""},
		{"what is said of a Bid that is not in question means nothing", newBid(noted(unknown), said("placed")), ""},
		{"an answer", newBid(noted(unknown, undecidable), said("not-placed")), "not-placed"},
		{"what was said before the question", newBid(said("not-placed"), noted(unknown, undecidable)), ""},
		{
			"what was said of another question",
			newBid(noted(unknown, undecidable), said("not-placed"), noted(bidding.NotPlaced(1, "not-placed"), unknown, undecidable)), "",
		},
		{"another word", newBid(said("not-placed"), noted(unknown, undecidable), said("placed")), "placed"},
		{"the same word for another time", newBid(said("placed"), noted(unknown, undecidable), said("placed:2")), "placed:2"},
		{
			"acknowledging a request is not answering",
			newBid(noted(unknown, undecidable), said("placed"), noted(bidding.Acknowledged())), "placed",
		},
		{
			"a failure to look leaves it open",
			newBid(noted(unknown, undecidable), said("placed"), noted(bidding.Unanswered("placed", "503"))), "placed",
		},
		{"no value", newBid(noted(unknown, undecidable), said("")), ""},
	} {
		t.Run(tc.why, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(bidding.Answer(tc.bid)).To(Equal(tc.want))
			action := planFacts{Bid: tc.bid}.next().Action
			if tc.want != "" {
				g.Expect(action).To(Equal(bidding.ActionAnswer))
				return
			}
			g.Expect(action).NotTo(Equal(bidding.ActionAnswer))
		})
	}
}

func TestAnswerWord(t *testing.T) {
	g := NewWithT(t)
	for answer, want := range map[string]string{
		"placed": "placed", "not-placed:2": "not-placed", "not-placed: asked their support": "not-placed", " placed ": "placed", "yes": "yes",
	} {
		g.Expect(bidding.AnswerWord(answer)).To(Equal(want))
	}
}

func TestTheQuestionNamesTheCommands(t *testing.T) {
	g := NewWithT(t)
	message := func(bid *onebidv1.Bid) string { return condition(bid, onebidv1.ConditionStalled).Message }
	g.Expect(message(newBid(noted(unknown, undecidable)))).To(Equal("no trace. Look at the marketplace. If this bid is open there: " +
		"`kubectl annotate -n tenant bid rest.1 onebid.dev/resolve=placed`; if not: " +
		"`kubectl annotate -n tenant bid rest.1 onebid.dev/resolve=not-placed`"))
	for used, want := range map[string]string{
		"placed": "not-placed:2`", "not-placed:2": "not-placed:3`", "placed: I think": "not-placed:2`", "maybe": "not-placed:2`",
	} {
		g.Expect(message(newBid(said(used), noted(unknown, undecidable)))).To(
			HaveSuffix("`kubectl annotate --overwrite -n tenant bid rest.1 onebid.dev/resolve=" + want))
	}
}

func TestNotPlacedGoesOn(t *testing.T) {
	g := NewWithT(t)
	bid := newBid(noted(unknown, undecidable), said("not-placed"), noted(bidding.NotPlaced(1, "not-placed")))
	g.Expect(bidding.PlacedStatus(bid)).To(Equal(metav1.ConditionFalse))
	g.Expect(condition(bid, onebidv1.ConditionPlaced).Message).To(ContainSubstring("onebid.dev/resolve"))
	g.Expect(bidding.PlaceRecorded(bid, 1)).To(BeTrue())
	g.Expect(planFacts{Bid: bid}.next().Action).To(Equal(bidding.ActionPlace))
	deleted(bid)
	g.Expect(planFacts{Bid: bid}.next().Action).To(Equal(bidding.ActionCancel))
}

func TestALongAnswerFitsTheStatus(t *testing.T) {
	g := NewWithT(t)
	bid := newBid(said("placed:"+strings.Repeat("é", 300)+"\xff"), noted(unknown, undecidable))
	g.Expect(len(bid.Status.LastHandledResolve)).To(BeNumerically("<=", 256))
	g.Expect(utf8.ValidString(bid.Status.LastHandledResolve)).To(BeTrue())
	g.Expect(bidding.Answer(bid)).To(BeEmpty())
}
