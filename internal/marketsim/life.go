package marketsim

import (
	"errors"
	"net/http"
	"os"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

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

// restart leaves the connection of one remote address open, for the reply to its caller.
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
			// An error is not reported: the commit stays scheduled for the next start.
			_ = s.step(w, func() error { return m.commitScheduled(r.Call) })
		}
	})
}
