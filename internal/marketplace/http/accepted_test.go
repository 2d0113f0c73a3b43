package httpdriver_test

import (
	"io"
	"net/http"
	"testing"

	. "github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// Of a withdrawal nothing is read but that it was accepted; a reply that cannot be read does not say that.
func TestAWithdrawalIsNotAcceptedByAReplyThatCannotBeRead(t *testing.T) {
	for why, answer := range map[string]http.HandlerFunc{
		"a page for people": reply(http.StatusOK, "<html>Please log in</html>"),
		"it breaks off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"state": "gone"`)
		},
	} {
		t.Run(why, func(t *testing.T) {
			d := driver(t, shop(nil), serve(t, answer).URL)
			NewWithT(t).Expect(d.Withdraw(t.Context(), marketplace.Unpaced{}, ref, "test")).To(beOf(onebidv1.ErrorUnknownOutcome))
		})
	}
}
