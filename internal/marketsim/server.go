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
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Options configure a [Server]. The zero value is useful in tests.
type Options struct {
	// LedgerPath is the file of the ledger; it is created when it does not exist. Default: a temporary file that Close
	// removes.
	LedgerPath string
	// Clock tells the time and makes every delay. Default: the real clock.
	Clock clock.Clock
}

// Server is the marketplace: an [http.Handler] for the markets at /{market} and for the administration at /_sim. It is
// safe for concurrent use.
type Server struct {
	clock     clock.Clock
	ledger    *ledger
	temporary string // the ledger's file, if Close is to remove it
	faults    faults
	conns     conns
	admin     http.Handler
	late      sync.WaitGroup // late commits under way

	// life is held for reading during every change of the state, and for writing while the world is replaced.
	life   sync.RWMutex
	world  *world
	closed bool
}

// errWorldGone ends calls that began before a restart, or that outlive the server.
var errWorldGone = errors.New("the marketplace was restarted")

// New opens the ledger and returns a server with the state that the ledger tells. The caller closes it. It fails when
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

// Close ends the calls and late commits that are under way, without effect, and closes the ledger. Late commits that
// were scheduled happen when a server opens the ledger again. Closing twice is no error.
func (s *Server) Close() error {
	s.life.Lock()
	if s.closed {
		s.life.Unlock()
		return nil
	}
	s.closed = true
	close(s.world.done)
	s.life.Unlock()
	s.conns.closeAll("")
	s.late.Wait()
	err := s.ledger.close()
	if s.temporary != "" {
		err = errors.Join(err, os.Remove(s.temporary))
	}
	return err
}

// Restart does what a crash and a new start of the marketplace do: calls under way end without effect, connections
// close, and the state is read from the ledger anew. Fault rules stay. Connections are only known to the server when it
// runs with [Server.Serve] or its ConnState is installed; otherwise idle ones stay open.
func (s *Server) Restart() error { return s.restart("") }

// restart leaves the connection of one remote address open, for the reply to the one who asked.
func (s *Server) restart(except string) error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return errWorldGone
	}
	w, err := loadWorld(s.ledger)
	if err != nil {
		return err
	}
	close(s.world.done)
	s.world = w
	s.conns.closeAll(except)
	return s.resumeLate(w)
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

// current returns the world as it is now.
func (s *Server) current() *world {
	s.life.RLock()
	defer s.life.RUnlock()
	return s.world
}

// step runs a change of the state, unless the world that it belongs to is gone.
func (s *Server) step(w *world, change func() error) error {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed || s.world != w {
		return errWorldGone
	}
	return change()
}

// wait returns after the time, or at once with an error when the world is gone. It holds no lock.
func (s *Server) wait(w *world, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	return await(w, s.clock.NewTimer(d))
}

func await(w *world, t clock.Timer) error {
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-w.done:
		return errWorldGone
	}
}

// resumeLate takes up the late commits that the ledger has promised. Nothing else may use the world meanwhile.
func (s *Server) resumeLate(w *world) error {
	for _, name := range w.marketNames() {
		m := w.market(name)
		for _, r := range m.due() {
			if r.Due.After(s.clock.Now()) {
				s.commitLate(w, m, r)
			} else if err := m.commitScheduled(r.Call); err != nil {
				return err
			}
		}
	}
	return nil
}

// commitLate carries out a scheduled effect when it is due. The timer runs when the function returns.
func (s *Server) commitLate(w *world, m *market, r Record) {
	t := s.clock.NewTimer(r.Due.Sub(s.clock.Now()))
	s.late.Go(func() {
		if await(w, t) == nil {
			// Without a ledger there is nobody left to tell; the commit stays scheduled for the next start.
			_ = s.step(w, func() error { return m.commitScheduled(r.Call) })
		}
	})
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
