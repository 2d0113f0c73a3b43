package history

import (
	"slices"

	"github.com/anishathalye/porcupine"
)

// posting is the register: one Bid object and one live bid at the most.
type posting struct {
	// bid is the Owner of the Bid object, "" when there is none.
	bid string
	// live is the ID of the live bid; "" when there is none, and unseen while its ID is unknown.
	live string
	// owner of the live bid.
	owner string
}

const unseen = "?"

func register() porcupine.Model {
	model := porcupine.NondeterministicModel{
		Init: func() []any { return []any{posting{}} },
		Step: func(state, input, _ any) []any {
			s, _ := state.(posting)
			o, _ := input.(*Operation)
			var out []any
			for _, next := range s.step(o) {
				out = append(out, next)
			}
			return out
		},
	}
	return model.ToModel()
}

// step returns what the posting can be after the operation; nothing when it cannot have happened now.
func (s posting) step(o *Operation) []posting {
	switch o.Kind {
	case Create:
		if o.Outcome == Refused {
			return when(s.bid != "", s)
		}
		return when(s.bid == "", posting{o.Owner, s.live, s.owner})
	case Gone:
		return when(s.bid == o.Owner && s.live == "", posting{})
	case Place:
		return s.place(o)
	case Withdraw:
		return s.withdraw(o)
	case End:
		return []posting{s.without(o.ID)}
	case Lookup:
		return s.lookup(o.Seen)
	}
	return nil
}

func when(possible bool, next posting) []posting {
	if !possible {
		return nil
	}
	return []posting{next}
}

func (s posting) is(id string) bool { return s.live == id || s.live == unseen }

func (s posting) without(id string) posting {
	if s.live != "" && s.is(id) {
		return posting{bid: s.bid}
	}
	return s
}

func (s posting) place(o *Operation) []posting {
	placed := posting{s.bid, o.ID, o.Owner}
	same := s.live != "" && s.is(o.ID) && s.owner == o.Owner
	switch {
	case o.Outcome == Refused:
		return []posting{s}
	case o.Outcome == Unknown && s.live == "":
		placed.live = unseen
		return []posting{s, placed}
	case o.Outcome == Unknown:
		return []posting{s} // it was refused, or it was the same key
	case o.Again && !same:
		return []posting{s} // the reply was a bid that has ended
	}
	return when(s.live == "" || same, placed)
}

func (s posting) withdraw(o *Operation) []posting {
	switch gone := s.without(o.ID); {
	case o.Outcome == Refused:
		return []posting{s}
	case o.Outcome == Unknown && gone != s:
		return []posting{s, gone}
	default:
		return []posting{gone}
	}
}

func (s posting) lookup(seen []string) []posting {
	switch {
	case len(seen) == 0:
		return when(s.live == "", s)
	case len(seen) > 1 || s.live == "" || !slices.ContainsFunc(seen, s.is):
		return nil
	}
	return []posting{{s.bid, seen[0], s.owner}}
}
