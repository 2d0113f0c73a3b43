package freelancer

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/internal/marketplace/wire"
)

var (
	// number is what IDs look like.
	number = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)
	// amount is a JSON number without an exponent, as far as we can do arithmetic with it.
	amount = regexp.MustCompile(`^(0|[1-9][0-9]{0,17})([.][0-9]{1,9})?$`)
)

// maxWord bounds an unknown state of the site's, in bytes.
const maxWord = 256

// bid is a bid as the site shows it.
type bid struct {
	ID        json.Number `json:"id"`
	ProjectID json.Number `json:"project_id"`
	BidderID  json.Number `json:"bidder_id"`
	Amount    json.Number `json:"amount"`
	// Retracted is our own withdrawal. When it is missing, a withdrawal takes longer to be seen.
	Retracted bool `json:"retracted"`
	// AwardStatus is null until the employer decides.
	AwardStatus   *string     `json:"award_status"`
	TimeSubmitted json.Number `json:"time_submitted"`
}

// awards are the words of award_status. An award has to be accepted by us, and lapses after 36 hours; rejected is what we
// answered to one.
var awards = map[string]onebidv1.RemoteState{
	"pending": onebidv1.RemoteAwardPending, "awarded": onebidv1.RemoteWon,
	"rejected": onebidv1.RemoteLost, "revoked": onebidv1.RemoteLost, "canceled": onebidv1.RemoteLost,
}

// state in our words, and in the site's. The field frontend_bid_status, made for its pages, is not looked at.
func (b bid) state() (state onebidv1.RemoteState, word string) {
	switch {
	case b.Retracted:
		return onebidv1.RemoteWithdrawn, "retracted"
	case b.AwardStatus == nil:
		return onebidv1.RemoteLive, "active"
	}
	word = wire.Cut(strings.ToValidUTF8(*b.AwardStatus, ""), maxWord)
	if state, ok := awards[*b.AwardStatus]; ok {
		return state, word
	}
	return onebidv1.RemoteUnknown, word
}

// check makes sure that the bid is ours and on the project; "" is any project.
func (b bid) check(self, project string) error {
	switch {
	case !number.MatchString(b.ID.String()) || !number.MatchString(b.ProjectID.String()):
		return errors.New("a bid lacks its id or its project_id")
	case b.BidderID.String() != self:
		return fmt.Errorf("the bid %s is not of our account, %s", b.ID, self)
	case project != "" && b.ProjectID.String() != project:
		return fmt.Errorf("the bid %s is on the project %s and not on %s", b.ID, b.ProjectID, project)
	}
	return nil
}

// translate gives the bid in our words. Its currency is the project's.
func (d *Driver) translate(b bid) marketplace.Bid {
	out := marketplace.Bid{
		ID: b.ID.String(), PostingID: b.ProjectID.String(), URL: d.site + "/projects/" + b.ProjectID.String(),
	}
	out.State, out.Word = b.state()
	if amount.MatchString(b.Amount.String()) {
		out.Amount = b.Amount.String()
	}
	if seconds, err := b.TimeSubmitted.Int64(); err == nil && seconds > 0 {
		out.PlacedAt = time.Unix(seconds, 0).UTC()
	}
	return out
}
