// Package marketsim is a marketplace that takes bids, made for tests, demos and continuous integration: a real HTTP
// server with an append-only ledger on disk. The ledger, and never a client's own notes, says how many bids were live
// at any instant; it is the oracle that finds a client which bids twice or leaves a withdrawn bid behind.
//
// One server holds several markets. The base URL of a market is /{market}. A market has a [Shape] (the dialect of its
// API), a [Class] (what it does about a second bid on a posting) and a page size; see [Settings]. The markets rest,
// unique, none, freelancehunt, taskfast, freelancer, botguild, loadboard, graphql and quayside exist from the start.
// Everything else is below /_sim: see [Client].
//
// # Accounts
//
// Every call to a market needs a token ("Authorization: Bearer TOKEN", for the shape taskfast also X-API-Key, for botguild
// that alone, for freelancer also Freelancer-OAuth-V1), or, as its settings say, an access token or a signature: see [Auth].
// Any token that is not empty is valid until it is revoked, and names the account of the same name unless [Token] maps it
// to another one. An account sees its own bids only.
//
// # Ledger
//
// The ledger is a file of JSON lines, one [Record] a line, each appended with one write before anything that depends on
// it is answered. So it survives a kill of the process; a new server on the same file has the same markets, tokens,
// bids and commits still to come. Fault rules are switches of one process and are not kept. The file is locked while a
// server uses it. A last line that was cut short had no reply yet and is removed on opening; damage anywhere else is an
// error.
//
// Every record has seq (1, 2, 3, … without gaps), time (UTC) and kind. The other fields are left out when empty.
//
//	kind     written                       fields
//	setting  a market or a token is set    market, settings | token
//	call     a call to a market arrived    market, account, verb, posting, bidID, key, remoteAddr, fault, path
//	effect   the state changed             call, market, account, posting, bidID, effect, key, amount, currency, …
//	reply    just before the reply         as its call, with call, status, code and the bidID of a new bid
//
// A call and its reply are two records so that a test can see that a call is under way. The call field of effects and
// replies is the seq of the call; an effect without it came from the administration below /_sim. In a call, key is the
// Idempotency-Key as sent; in an effect it is the key that the market keeps. In a reply, status is the status on the
// wire (0: the connection was dropped without one) and code says why the market refused, whatever a fault then made of
// the reply. Path is only given for calls that match no route.
//
// Effects on a bid: placed, award_pending, awarded, lost, rejected, expired, withdrawn, reinstated. A placed bid may
// carry hiddenUntil: no read shows it before. Effects on a posting: closed, reopened. A late commit is scheduled (with
// verb and due) and later either takes effect or is dropped (with the code of the reason).
package marketsim
