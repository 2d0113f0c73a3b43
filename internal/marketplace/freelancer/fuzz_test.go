package freelancer

import (
	"net/http"
	"strings"
	"testing"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

const fuzzToken = "fuzz-t0ken"

// FuzzReply gives the driver any reply. Whatever it is, the verdict is one that the contract knows: a write that was
// answered neither by a success nor by a documented refusal is an unknown outcome, a read never is, and what is taken for
// a bid is ours and on our project.
func FuzzReply(f *testing.F) {
	f.Add(200, `{"status":"success","result":{"id":77,"project_id":9001,"bidder_id":501,"amount":250.0,"award_status":null}}`)
	f.Add(200, `{"status":"success","result":{"bids":[{"id":77,"project_id":9001,"bidder_id":501,"retracted":true}]}}`)
	f.Add(200, `{"status":"success","result":{"projects":[{"id":9001,"status":"closed","currency":{"code":"USD"}}]}}`)
	f.Add(409, `{"status":"error","message":"no","error_code":"ProjectExceptionCodes.DUPLICATE_BID"}`)
	f.Add(400, `{"status":"error","error":{"code":"BAD_FORM","detail":"`+fuzzToken+`","http_code":400}}`)
	f.Add(200, `{"status":"error","error_code":"UserExceptionCodes.GAF_EXCEPTION"}`)
	f.Add(405, ``)
	f.Add(302, `[]`)
	f.Add(500, `{"error":{"code":[]}}`)
	d := &Driver{token: fuzzToken, options: wire.Options{}.WithDefaults()}
	f.Fuzz(func(t *testing.T, status int, body string) {
		r := wire.NewReply(status, http.Header{}, []byte(body))
		for _, name := range []string{marketplace.OpPlace, marketplace.OpWithdraw} {
			checkWrite(t, d.operation(name, nil).call(wire.Writing, nil), r)
		}
		checkRead(t, d.operation(marketplace.OpLookup, nil).call(wire.Reading, nil), r)
	})
}

func checkWrite(t *testing.T, c *wire.Call, r *wire.Reply) {
	t.Helper()
	verdict := c.Classify(r, meaning(c))
	if verdict == nil {
		if !r.Succeeded() || statusOf(r) != "success" {
			t.Fatalf("HTTP %d %q was taken for success", r.Status, r.Raw)
		}
		checkBid(t, r)
		return
	}
	if strings.Contains(verdict.Error(), fuzzToken) {
		t.Fatalf("the token is in %v", verdict)
	}
	documented := r.Succeeded() || (r.Status >= 400 && r.Status < 500)
	if verdict.Class != onebidv1.ErrorUnknownOutcome && !documented {
		t.Fatalf("HTTP %d was taken for a refusal: %v", r.Status, verdict)
	}
	if verdict.Class != onebidv1.ErrorUnknownOutcome && r.Succeeded() && classOf(codeOf(r)) == "" {
		t.Fatalf("%q was taken for a refusal: %v", r.Raw, verdict)
	}
}

func checkRead(t *testing.T, c *wire.Call, r *wire.Reply) {
	t.Helper()
	if verdict := c.Classify(r, meaning(c)); verdict != nil && verdict.Class == onebidv1.ErrorUnknownOutcome {
		t.Fatalf("a read has no outcome: %v", verdict)
	}
}

func checkBid(t *testing.T, r *wire.Reply) {
	t.Helper()
	var b bid
	if result(r, &b) != nil || b.check("501", "9001") != nil {
		return
	}
	got := (&Driver{site: sandbox}).translate(b)
	if !number.MatchString(got.ID) || got.PostingID != "9001" || got.State == "" || len(got.Word) > maxWord ||
		(got.Amount != "" && !amount.MatchString(got.Amount)) {
		t.Fatalf("a bid that is none: %+v", got)
	}
}
