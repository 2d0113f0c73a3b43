package marketsim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"k8s.io/utils/clock"
)

// Options configure a [Server]. The zero value is useful in tests.
type Options struct {
	// LedgerPath is the file of the ledger; it is created when it does not exist. Default: a temporary file that Close
	// removes.
	LedgerPath string
	// Clock is the source of time and of every delay. Default: the real clock.
	Clock clock.Clock
}

// New opens the ledger and returns a server with the state in the ledger. The caller closes it. It fails when
// the ledger cannot be opened or read, or is in use by another server.
func New(o Options) (*Server, error) {
	s := &Server{clock: o.Clock}
	if s.clock == nil {
		s.clock = clock.RealClock{}
	}
	if o.LedgerPath == "" {
		f, err := os.CreateTemp("", "marketsim-*.jsonl")
		if err != nil {
			return nil, fmt.Errorf("making a temporary ledger: %w", err)
		}
		_ = f.Close()
		o.LedgerPath, s.temporary = f.Name(), f.Name()
	}
	l, err := openLedger(o.LedgerPath, s.clock.Now)
	if err != nil {
		return nil, err
	}
	s.ledger = l
	s.admin = s.adminHandler()
	if s.world, err = loadWorld(l); err != nil {
		return nil, errors.Join(err, l.close())
	}
	if err := s.resumeLate(s.world); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Ledger returns the path of the ledger's file.
func (s *Server) Ledger() string { return s.ledger.file.Name() }

// ConnState is to be installed as the ConnState of the [http.Server] that serves this handler, so that a restart can
// close its connections. Serve does that by itself.
func (s *Server) ConnState(c net.Conn, state http.ConnState) { s.conns.track(c, state) }

// Serve answers on the listener until the context ends, then lets calls under way finish for at most five seconds. It
// closes the listener, not the server. The error is nil after the end of the context.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	hs := &http.Server{Handler: s, ConnState: s.ConnState, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- hs.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving the marketplace: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := hs.Shutdown(grace); err != nil {
		_ = hs.Close() // a call that a fault holds back; its client sees what a crash would show
	}
	return nil
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	path, err := splitPath(r.URL)
	if err != nil {
		writeAdminError(out, http.StatusBadRequest, codeBadRequest, err.Error())
		return
	}
	if path[0] == "_sim" {
		s.admin.ServeHTTP(out, r)
		return
	}
	w := s.current()
	m := w.market(path[0])
	if m == nil {
		writeAdminError(out, http.StatusNotFound, codeNoSuchMarket,
			fmt.Sprintf("no market %q; there are: %s", path[0], strings.Join(w.marketNames(), ", ")))
		return
	}
	s.serveCall(out, r, w, m, path[1:])
}

// splitPath returns the segments of the path, each decoded on its own, so that a posting ID may hold a slash. A
// ServeMux would clean the path, and with it posting IDs like ".." and "a//b".
func splitPath(u *url.URL) ([]string, error) {
	segments := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, escaped := range segments {
		segment, err := url.PathUnescape(escaped)
		if err != nil {
			return nil, fmt.Errorf("path: segment %q is not URL-escaped: %w", escaped, err)
		}
		segments[i] = segment
	}
	return segments, nil
}
