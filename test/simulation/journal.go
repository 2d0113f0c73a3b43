package simulation

import (
	"sync"
	"time"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
	"github.com/onebid-dev/onebid/test/history"
)

// journal records what each caller saw of the postings. A second check, independent of the first one's rules, reads it.
type journal struct {
	mu         sync.Mutex
	operations []history.Operation
}

func (j *journal) add(o history.Operation) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.operations = append(j.operations, o)
}

// happened adds what takes no time.
func (j *journal) happened(kind history.Kind, outcome history.Outcome, posting, owner, id string) {
	now := time.Now()
	j.add(history.Operation{Key: posting, Kind: kind, Outcome: outcome, Owner: owner, ID: id, Call: now, Return: now})
}

// outcomeOf is the outcome as the caller sees it.
func outcomeOf(err error) history.Outcome {
	switch marketplace.ClassOf(err) {
	case "":
		return history.Done
	case onebidv1.ErrorUnknownOutcome:
		return history.Unknown
	default:
		return history.Refused
	}
}

// placed adds a place call as its caller saw it.
func (j *journal) placed(posting, owner string, bid marketplace.Bid, err error, began, shown time.Time) {
	o := history.Operation{Key: posting, Kind: history.Place, Outcome: outcomeOf(err), Owner: owner, Call: began, Return: time.Now()}
	switch o.Outcome {
	case history.Done:
		o.ID, o.Again = bid.ID, !bid.Open()
		if shown.After(o.Return) {
			o.Return = shown
		}
	case history.Unknown:
		o.Return = began.Add(timing.Pause + callTimeout + lateCommit + visibility)
	case history.Refused:
	}
	j.add(o)
}

// withdrew adds a withdrawal as its caller saw it.
func (j *journal) withdrew(posting, id string, err error, began time.Time) {
	o := history.Operation{
		Key: posting, Kind: history.Withdraw, Outcome: outcomeOf(err), ID: id, Call: began, Return: time.Now(),
	}
	if o.Outcome == history.Unknown {
		o.Return = began.Add(timing.Pause + callTimeout + lateCommit)
	}
	j.add(o)
}

// lookedUp adds a lookup: what it showed of ours.
func (j *journal) lookedUp(posting string, seen []string, began time.Time) {
	j.add(history.Operation{Key: posting, Kind: history.Lookup, Outcome: history.Done, Seen: seen, Call: began, Return: time.Now()})
}

// check runs the second check.
func (j *journal) check() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return history.Check(j.operations, 10*time.Second)
}
