package bidding

import (
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
)

// maxAnswer is how much of the annotation onebid.dev/resolve is looked at and repeated in the status, in bytes.
const maxAnswer = 256

// Answer is what a person says of an Indeterminate Bid by the annotation onebid.dev/resolve, "" when there is nothing new.
// What was there before the question came up is no answer to it: it may be one to an earlier question.
func Answer(bid *onebidv1.Bid) string {
	if said := answered(bid); Indeterminate(bid) && said != bid.Status.LastHandledResolve {
		return said
	}
	return ""
}

// AnswerWord is the part of an answer that decides; what follows a colon is for the record.
func AnswerWord(answer string) string {
	word, _, _ := strings.Cut(answer, ":")
	return strings.TrimSpace(word)
}

func answered(bid *onebidv1.Bid) string {
	return cut(strings.ToValidUTF8(bid.Annotations[onebidv1.AnnotationResolve], "\uFFFD"), maxAnswer)
}

// Undecidable notes that nobody but a person can say what became of a place, and how to say it. Whatever the annotation
// onebid.dev/resolve says by now is used up.
func Undecidable(why string) Change {
	return Change{apply: func(e *edit) {
		e.status.LastHandledResolve = answered(e.bid)
		text := fmt.Sprintf("%s. Look at the marketplace. If this bid is live there: %#q; if not: %#q",
			why, e.command(onebidv1.ResolvePlaced), e.command(onebidv1.ResolveNotPlaced))
		e.set(onebidv1.ConditionPlaced, metav1.ConditionUnknown, onebidv1.ReasonIndeterminate, text)
		e.stalled = &note{onebidv1.ReasonIndeterminate, text}
	}}
}

// command is what a person types to give an answer. Where the annotation has a value already the new one is another,
// else it could not be told from that.
func (e *edit) command(word string) string {
	flag := ""
	if used := e.status.LastHandledResolve; used != "" {
		_, rest, _ := strings.Cut(used, ":")
		count, _ := strconv.ParseUint(rest, 10, 16) // what is no number counts as none
		flag, word = "--overwrite ", fmt.Sprintf("%s:%d", word, max(count, 1)+1)
	}
	return fmt.Sprintf("kubectl annotate %s-n %s bid %s %s=%s", flag, e.bid.Namespace, e.bid.Name, onebidv1.AnnotationResolve, word)
}

// NotPlaced notes that a person, by this answer, says that an unknown outcome had no effect.
func NotPlaced(attempt int32, answer string) Change {
	return Change{apply: func(e *edit) {
		e.status.LastHandledResolve = answer
		e.absent(attempt, "Somebody looked, and said so by "+onebidv1.AnnotationResolve+": nothing was placed")
	}}
}

// Unanswered notes that a person's answer is not carried out yet, and why. It stays an open one.
func Unanswered(answer, why string) Change {
	return Change{apply: func(e *edit) {
		e.stalled = &note{onebidv1.ReasonIndeterminate, fmt.Sprintf(
			"%s says %q; looking for the bid failed and is tried again: %s", onebidv1.AnnotationResolve, answer, why)}
	}}
}
