package marketsim

import (
	"net"
	"net/http"
	"sync"
)

// conns are the open connections of the HTTP server, as far as it reports them.
type conns struct {
	mu   sync.Mutex
	open map[net.Conn]struct{}
}

func (c *conns) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		if c.open == nil {
			c.open = map[net.Conn]struct{}{}
		}
		c.open[conn] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	case http.StateActive, http.StateIdle:
	}
}

// closeAll closes every connection but the one from the remote address.
func (c *conns) closeAll(except string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		if conn.RemoteAddr().String() != except {
			_ = conn.Close()
		}
	}
}
