package marketsim

import (
	"fmt"
	"net/http"
)

// The codes of refusals. Each shape spells them in its own way.
const (
	codeAlreadyWithdrawn = "ALREADY_WITHDRAWN"
	codeAwarded          = "AWARDED"
	codeBadRequest       = "BAD_REQUEST"
	codeBidFinal         = "BID_FINAL"
	codeDuplicate        = "DUPLICATE_BID"
	codeForeignBidder    = "FOREIGN_BIDDER"
	codeInvalidAmount    = "INVALID_AMOUNT"
	codeInvalidPosting   = "INVALID_POSTING"
	codeKeyReused        = "IDEMPOTENCY_KEY_REUSED"
	codeForbidden        = "FORBIDDEN"
	codeLedger           = "LEDGER_UNAVAILABLE"
	codeNoSuchMarket     = "NO_SUCH_MARKET"
	codeNoSuchRoute      = "NO_SUCH_ROUTE"
	codeNotFound         = "NOT_FOUND"
	codeNotLive          = "NOT_LIVE"
	codePostingClosed    = "POSTING_CLOSED"
	codeReplayed         = "REPLAYED"
	codeTooLarge         = "TOO_LARGE"
	codeUnauthenticated  = "UNAUTHENTICATED"
)

// refusal is a market's "no": it has no effect.
type refusal struct {
	status  int
	code    string
	message string
}

func (r refusal) Error() string { return r.message }

var errNoBid = refusal{http.StatusNotFound, codeNotFound, "the account has no such bid"}

func badRequest(code, format string, args ...any) *refusal {
	return &refusal{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...)}
}
