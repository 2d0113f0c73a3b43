package marketsim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

const (
	defaultLedgerLimit = 1000
	maxLedgerLimit     = 10_000
)

func badField(format string, args ...any) error { return *badRequest(codeBadRequest, format, args...) }

func writeAdminError(out http.ResponseWriter, status int, code, message string) {
	writeJSON(out, status, map[string]any{"error": map[string]string{"code": code, "message": message}})
}

func writeJSON(out http.ResponseWriter, status int, body any) {
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(status)
	_, _ = out.Write(encode(body))
}

// adminCall answers a call of the administration with a body or an error. It runs as one step of the world w.
type adminCall func(w *world, r *http.Request) (any, error)

// adminHandler routes what is below /_sim.
func (s *Server) adminHandler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, call adminCall) { mux.Handle(pattern, s.adminStep(call)) }
	handle("GET /_sim/healthz", func(*world, *http.Request) (any, error) { return map[string]string{"status": "ok"}, nil })
	handle("GET /_sim/markets", listMarkets)
	handle("PUT /_sim/markets/{name}", withBody(putMarket))
	handle("POST /_sim/tokens", withBody(postToken))
	handle("POST /_sim/postings", withBody(postPosting))
	handle("POST /_sim/bids/{market}/{bidID}", withBody(postBid))
	handle("GET /_sim/faults", func(*world, *http.Request) (any, error) { return s.faults.list(), nil })
	handle("POST /_sim/faults", withBody(s.postFault))
	handle("DELETE /_sim/faults", func(*world, *http.Request) (any, error) {
		s.faults.clear()
		return s.faults.list(), nil
	})
	handle("DELETE /_sim/faults/{id}", s.deleteFault)
	handle("GET /_sim/summary", func(w *world, r *http.Request) (any, error) {
		name, err := marketFilter(w, r)
		return w.ledger.summarize(name), err
	})
	handle("GET /_sim/live", func(w *world, r *http.Request) (any, error) {
		name, err := marketFilter(w, r)
		return w.live(name), err
	})
	mux.HandleFunc("GET /_sim/ledger", s.getLedger)
	mux.HandleFunc("POST /_sim/restart", s.postRestart)
	mux.HandleFunc("/_sim/", func(out http.ResponseWriter, r *http.Request) {
		writeAdminError(out, http.StatusNotFound, codeNoSuchRoute, fmt.Sprintf("no route %s %s", r.Method, r.URL.Path))
	})
	return mux
}

func (s *Server) adminStep(call adminCall) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(out, r.Body, maxBody)
		w := s.current()
		var body any
		err := s.step(w, func() (err error) {
			body, err = call(w, r)
			return err
		})
		if err != nil {
			writeFailure(out, err)
			return
		}
		writeJSON(out, http.StatusOK, body)
	})
}

func writeFailure(out http.ResponseWriter, err error) {
	var bad refusal
	switch {
	case errors.As(err, &bad):
		writeAdminError(out, bad.status, bad.code, bad.message)
	case errors.Is(err, errWorldGone):
		writeAdminError(out, http.StatusServiceUnavailable, "RESTARTED", err.Error())
	default:
		writeAdminError(out, http.StatusInternalServerError, codeLedger, err.Error())
	}
}

// withBody makes a call of one that takes the body as a struct. It reads strictly, to report misspelt fields.
func withBody[T any](do func(w *world, r *http.Request, in T) (any, error)) adminCall {
	return func(w *world, r *http.Request) (any, error) {
		var in T
		if err := decodeAdmin(r, &in); err != nil {
			return nil, err
		}
		return do(w, r, in)
	}
}

func decodeAdmin(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return badField("body: %v; the fields are: %s", err, strings.Join(fieldNames(into), ", "))
	}
	if d.More() {
		return badField("body: there is more than one JSON value")
	}
	return nil
}

// fieldNames returns the JSON names of the fields of the struct that into points to.
func fieldNames(into any) []string {
	var names []string
	for f := range reflect.TypeOf(into).Elem().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func listMarkets(w *world, _ *http.Request) (any, error) {
	out := map[string]Settings{}
	for _, name := range w.marketNames() {
		out[name] = w.market(name).currentSettings()
	}
	return out, nil
}

func putMarket(w *world, r *http.Request, in Settings) (any, error) {
	name := r.PathValue("name")
	settings, err := in.withDefaults()
	if err := cmp.Or(validMarketName(name), err); err != nil {
		return nil, badField("%v", err)
	}
	return w.putMarket(name, settings)
}

type tokenBody struct {
	Token   string `json:"token"`
	Valid   *bool  `json:"valid"`
	Account string `json:"account"`
}

func postToken(w *world, _ *http.Request, in tokenBody) (any, error) {
	if in.Token == "" || strings.TrimSpace(in.Token) != in.Token {
		return nil, badField("token: %q must be a text without spaces around it", in.Token)
	}
	if in.Valid == nil {
		return nil, badField("valid: is missing; it must be true or false")
	}
	t := Token{Token: in.Token, Valid: *in.Valid, Account: in.Account}
	return t, w.putToken(t)
}

type postingBody struct {
	Market  string `json:"market"`
	Posting string `json:"posting"`
	Closed  *bool  `json:"closed"`
}

func postPosting(w *world, _ *http.Request, in postingBody) (any, error) {
	m, err := namedMarket(w, in.Market)
	if err != nil {
		return nil, err
	}
	if no := checkPosting(in.Posting); no != nil {
		return nil, badField("posting: %q must be a text of one byte or more", in.Posting)
	}
	if in.Closed == nil {
		return nil, badField("closed: is missing; it must be true or false")
	}
	return in, m.setClosed(in.Posting, *in.Closed)
}

type stateBody struct {
	State State `json:"state"`
}

func postBid(w *world, r *http.Request, in stateBody) (any, error) {
	if _, ok := effects[in.State]; !ok {
		return nil, badField("state: %q is not one of %v", in.State, allStates())
	}
	m, err := namedMarket(w, r.PathValue("market"))
	if err != nil {
		return nil, err
	}
	id := r.PathValue("bidID")
	b, ok, err := m.setState(id, in.State)
	if err == nil && !ok {
		err = refusal{http.StatusNotFound, codeNotFound, fmt.Sprintf("bidID: market %q has no bid %q", m.name, id)}
	}
	return map[string]any{
		"market": m.name, "account": b.Account, "posting": b.Posting, "bidID": b.BidID, "state": b.State,
	}, err
}

func (s *Server) postFault(w *world, _ *http.Request, in Fault) (any, error) {
	if err := knownOrEmpty(w, in.Market); err != nil {
		return nil, err
	}
	f, err := s.faults.add(in)
	if err != nil {
		return nil, badField("%v", err)
	}
	return f, nil
}

func (s *Server) deleteFault(_ *world, r *http.Request) (any, error) {
	id := r.PathValue("id")
	if !s.faults.remove(id) {
		return nil, refusal{http.StatusNotFound, codeNotFound, fmt.Sprintf("id: there is no fault rule %q", id)}
	}
	return s.faults.list(), nil
}

func namedMarket(w *world, name string) (*market, error) {
	m := w.market(name)
	if m == nil {
		return nil, badField("market: there is no %q; it must be one of: %s", name, strings.Join(w.marketNames(), ", "))
	}
	return m, nil
}

// knownOrEmpty is an error for the name of no market.
func knownOrEmpty(w *world, name string) error {
	if name == "" {
		return nil
	}
	_, err := namedMarket(w, name)
	return err
}

func marketFilter(w *world, r *http.Request) (string, error) {
	name := r.URL.Query().Get("market")
	return name, knownOrEmpty(w, name)
}

// getLedger sends raw lines. It is no step, since records never change and a long read should hold nothing up.
func (s *Server) getLedger(out http.ResponseWriter, r *http.Request) {
	after, errAfter := countParam(r, "after", 0, 1<<62)
	limit, errLimit := countParam(r, "limit", defaultLedgerLimit, maxLedgerLimit)
	if err := errors.Join(errAfter, errLimit); err != nil {
		writeAdminError(out, http.StatusBadRequest, codeBadRequest, err.Error())
		return
	}
	lines, err := s.ledger.lines(after, int(limit))
	if err != nil {
		writeFailure(out, err)
		return
	}
	out.Header().Set("Content-Type", "application/x-ndjson")
	_, _ = out.Write(lines)
}

func countParam(r *http.Request, name string, otherwise, most int64) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%s: %q is not a number from 0 to %d", name, text, most)
	}
	return n, nil
}

func (s *Server) postRestart(out http.ResponseWriter, r *http.Request) {
	if err := s.restart(r.RemoteAddr); err != nil {
		writeFailure(out, err)
		return
	}
	out.Header().Set("Connection", "close")
	writeJSON(out, http.StatusOK, map[string]string{"status": "restarted"})
}
