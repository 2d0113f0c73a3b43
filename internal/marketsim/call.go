package marketsim

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// maxBody is the largest body of a call; more is refused with 413.
const maxBody = 1 << 20

// exchange is one call to a market on its way through the server.
type exchange struct {
	world   *world
	market  *market
	shape   *shape
	view    view
	request request
	refusal *refusal // known before the market is asked: a bad request or an unknown account
	record  Record   // of the call; then of the reply
	fault   Fault
	life    time.Duration // of access tokens
}

// answer is what goes to the client, unless the fault garbles it.
type answer struct {
	status int
	header map[string]string
	body   []byte
	code   string // of the refusal
	bidID  string
}

// serveCall answers one call to a market. A call that outlives its world gets no reply, as in a crash.
func (s *Server) serveCall(out http.ResponseWriter, r *http.Request, w *world, m *market, path []string) {
	x := &exchange{world: w, market: m}
	s.read(x, out, r, path)
	err := s.step(w, func() error { return s.arrive(x) })
	var a answer
	if err == nil {
		a, err = s.perform(x)
	}
	if err == nil {
		err = s.step(w, func() error { return x.recordReply(a) })
	}
	if errors.Is(err, errWorldGone) {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		a = x.shape.refuse(refusal{status: http.StatusInternalServerError, code: codeLedger, message: err.Error()})
		x.fault = Fault{}
	}
	send(out, r, x.fault, a)
}

// read parses the call and identifies its account; it changes nothing.
func (s *Server) read(x *exchange, out http.ResponseWriter, r *http.Request, path []string) {
	settings := x.market.currentSettings()
	x.shape = shapeOf(settings)
	x.life = time.Duration(settings.TokenSeconds) * time.Second
	if settings.Auth == AuthOAuth2 && slices.Equal(path, tokenPath) {
		x.shape = &tokenShape
	}
	x.view = view{base: baseURL(r) + "/" + x.market.name, url: r.URL, echo: *settings.EchoKey}
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, maxBody))
	x.request, x.refusal = x.shape.parse(r, path, body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		x.refusal = &refusal{http.StatusRequestEntityTooLarge, codeTooLarge, "the body is larger than 1 MiB"}
	} else if err != nil {
		x.refusal = badRequest(codeBadRequest, "the body cannot be read: %v", err)
	}
	account := s.identify(x, settings.Auth, r, body)
	x.request.perPage = min(cmp.Or(x.request.perPage, settings.PageSize), settings.PageSize)
	posting := cmp.Or(x.request.posting, x.market.postingOf(x.request.bidID))
	x.record = Record{
		Market: x.market.name, Account: account, Verb: x.request.verb, Posting: posting, BidID: x.request.bidID,
		Key: r.Header.Get("Idempotency-Key"), RemoteAddr: r.RemoteAddr,
	}
	if x.request.verb == VerbOther {
		x.record.Path = r.Method + " " + r.URL.EscapedPath()
	}
}

// identify returns the account of the call. It refuses a call without proof of it, or one that names another account.
func (s *Server) identify(x *exchange, way Auth, r *http.Request, body []byte) string {
	account, valid := x.world.authenticate(s.credential(x, way, r, body))
	switch {
	case !valid:
		x.refusal = &refusal{http.StatusUnauthorized, codeUnauthenticated, "the credentials are missing or not valid"}
	case x.refusal != nil:
	case x.request.as != "" && x.request.as != account:
		x.refusal = &refusal{http.StatusForbidden, codeForbidden, "the call is in the name of another account"}
	case x.request.bidder != "" && x.request.bidder != FreelancerID(account):
		x.refusal = &refusal{http.StatusForbidden, codeForeignBidder, "the bidder is another account than the token's"}
	}
	if x.request.newest {
		x.request.bidID = x.market.newest(account, x.request.posting)
	}
	return account
}

// arrive looks for a fault and writes the call to the ledger.
func (s *Server) arrive(x *exchange) error {
	x.fault = s.faults.meet(x.market.name, x.request.verb, x.record.Posting)
	x.record.Kind = KindCall
	x.record.Fault = x.fault.ID
	written, err := x.world.ledger.append(x.record)
	x.record.Call = written.Seq
	return err
}

func (x *exchange) recordReply(a answer) error {
	x.record.Kind, x.record.Path = KindReply, ""
	x.record.Status, x.record.Code = a.status, a.code
	x.record.BidID = cmp.Or(a.bidID, x.record.BidID)
	if x.fault.Reply == ReplyDrop {
		x.record.Status = 0
	}
	_, err := x.world.ledger.append(x.record)
	return err
}

// perform lets the call take effect and finds the answer, in the order and at the times that the fault wants.
func (s *Server) perform(x *exchange) (answer, error) {
	f := x.fault
	switch f.Commit {
	case CommitNone, CommitLate:
		err := s.step(x.world, func() error { return s.scheduleLate(x) })
		return x.spoil(answer{code: f.Code}), errors.Join(err, s.wait(x.world, millis(f.DelayMillis)))
	case CommitBefore:
		a, err := s.ask(x)
		return x.spoil(a), errors.Join(err, s.wait(x.world, millis(f.DelayMillis)))
	default:
		if err := s.wait(x.world, millis(f.DelayMillis)); err != nil {
			return answer{}, err
		}
		a, err := s.ask(x)
		return x.spoil(a), err
	}
}

// scheduleLate promises the effect of a call with a late commit. Calls that would be refused as they stand, and reads,
// have none.
func (s *Server) scheduleLate(x *exchange) error {
	writes := x.request.verb == VerbPlace || x.request.verb == VerbWithdraw
	if x.fault.Commit != CommitLate || x.refused() || !writes {
		return nil
	}
	r := x.effect()
	r.Verb = x.request.verb
	r.Due = s.clock.Now().Add(millis(x.fault.CommitDelayMillis)).UTC()
	if x.fault.HideMillis > 0 {
		r.HiddenUntil = r.Due.Add(millis(x.fault.HideMillis))
	}
	if err := x.market.schedule(r); err != nil {
		return err
	}
	s.commitLate(x.world, x.market, r)
	return nil
}

// effect describes what the call asks for.
func (x *exchange) effect() Record {
	o := x.request.offer
	return Record{
		Call: x.record.Call, Account: x.record.Account, Posting: x.record.Posting, BidID: x.request.bidID,
		Key: x.record.Key, Amount: o.amount, Currency: o.currency, Days: o.days, Text: o.text, Reason: x.request.reason,
	}
}

// refused is true when the call is refused before the market is asked.
func (x *exchange) refused() bool { return x.refusal != nil }

// ask lets the market decide and returns its answer.
func (s *Server) ask(x *exchange) (answer, error) {
	if x.refused() {
		return x.shape.refuse(*x.refusal), nil
	}
	res := result{request: x.request, account: x.record.Account}
	var no refusal
	err := s.step(x.world, func() error { return s.decide(x, &res) })
	if errors.As(err, &no) {
		return x.shape.refuse(no), nil
	}
	if err != nil {
		return answer{}, err
	}
	return x.shape.success(x.view, res), nil
}

func (s *Server) decide(x *exchange, res *result) (err error) {
	now := s.clock.Now()
	switch x.request.verb {
	case VerbPlace, VerbWithdraw:
		r := x.effect()
		if x.request.verb == VerbPlace && x.fault.HideMillis > 0 {
			r.HiddenUntil = now.Add(millis(x.fault.HideMillis)).UTC()
		}
		res.outcome, err = x.market.act(x.request.verb, r)
	case VerbGet:
		res.bid, err = x.market.get(x.record.Account, x.request.bidID, now)
	case VerbList, VerbLookup:
		res.bids, res.more = x.market.list(query{
			account: x.record.Account, posting: x.request.posting, states: x.request.states, after: x.request.cursor,
			skip: x.request.offset + max(x.request.page-1, 0)*x.request.perPage, limit: x.request.perPage,
		}, now)
	case VerbProject:
		for _, id := range append(x.request.projects, x.request.posting) {
			if id != "" {
				res.postings = append(res.postings, x.market.posting(x.record.Account, id))
			}
		}
	case VerbToken:
		res.token = x.world.grants.issue(x.record.Account, now, x.life)
	case VerbMe, VerbOther: // the account is known, and a call without a route was refused before
	}
	return err
}

// spoil puts the fault's status and body in the place of the true ones. An answer without status is that of a call
// which the market was not asked about.
func (x *exchange) spoil(a answer) answer {
	if x.fault.ID == "" {
		return a
	}
	status := x.fault.Status
	if a.status == 0 && status == 0 {
		status = http.StatusServiceUnavailable
		if x.fault.Commit == CommitLate {
			status = http.StatusGatewayTimeout
		}
	}
	if status != 0 {
		a.status = status
		a.body = x.shape.refuse(refusal{status, x.fault.Code, "fault " + strconv.Quote(x.fault.ID)}).body
	}
	if x.fault.Body != "" {
		a.body = []byte(x.fault.Body)
	}
	if x.fault.Reply == ReplyGarbage {
		a.status = cmp.Or(x.fault.Status, http.StatusOK)
		a.body = []byte(cmp.Or(x.fault.Body, "<html>\x00 this is not the page you are looking for"))
	}
	return a
}

func baseURL(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
