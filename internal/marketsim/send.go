package marketsim

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
)

// send puts the answer on the wire, or what the fault makes of it.
func send(out http.ResponseWriter, r *http.Request, f Fault, a answer) {
	if f.Reply == ReplyDrop {
		drop(out)
		return
	}
	header := out.Header()
	header.Set("Content-Type", "application/json")
	if f.Reply == ReplyGarbage {
		header.Set("Content-Type", "text/html")
	}
	for name, value := range a.header {
		header.Set(name, value)
	}
	if f.RetryAfter != "" {
		header.Set("Retry-After", f.RetryAfter)
	}
	for name, value := range f.Headers {
		header.Set(name, value)
	}
	if f.Reply == ReplyTruncate {
		truncate(out, a)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	out.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = out.Write(a.body) // a client that has gone is no concern of the marketplace
	}
}

// drop ends the connection without a reply; over TCP the client sees a reset.
func drop(out http.ResponseWriter) {
	conn, _, err := http.NewResponseController(out).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 and recorders: the next best thing
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// truncate announces the whole body, sends half of it and ends the connection.
func truncate(out http.ResponseWriter, a answer) {
	out.Header().Set("Content-Length", strconv.Itoa(len(a.body)+1))
	out.WriteHeader(a.status)
	_, _ = out.Write(a.body[:len(a.body)/2])
	_ = http.NewResponseController(out).Flush()
	panic(http.ErrAbortHandler)
}

// encode returns a body as JSON; what the shapes make of a bid can always be encoded.
func encode(body any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		return []byte(`{}`)
	}
	return append(text, '\n')
}
