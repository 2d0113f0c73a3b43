//go:build failpoints && linux

package failpoint

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// variable names the file that says where the process is to end or to stop.
const variable = "ONEBID_FAILPOINT_FILE"

// Before marks that the request is about to be sent.
func Before(p Point) { reach(p, "before") }

// After marks that the request was carried out, which it was not when there is an error.
func After(p Point, err error) {
	if err == nil {
		reach(p, "after")
	}
}

// reach does what the file says, if it is about this mark.
func reach(p Point, side string) {
	file := os.Getenv(variable)
	if file == "" {
		return
	}
	text, err := os.ReadFile(file)
	words := strings.Fields(string(text))
	if err != nil || len(words) != 3 || words[0] != string(p) || words[1] != side {
		return
	}
	// Of several that read the file one removes it.
	if os.Remove(file) != nil {
		return
	}
	act(words[2])
}

func act(what string) {
	switch what {
	case "kill":
		signal(syscall.SIGKILL)
	case "stop":
		signal(syscall.SIGSTOP)
	case "pass":
	default:
		panic(fmt.Sprintf("failpoint: %q is none of kill, stop and pass", what))
	}
}

// signal goes to this very thread: it returns when the signal has done its work, and nothing is done in between.
func signal(s syscall.Signal) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Tgkill(syscall.Getpid(), syscall.Gettid(), s); err != nil {
		panic(fmt.Sprintf("failpoint: %v", err))
	}
}

// OnWire gives a connection the point Wire.
func OnWire(conn net.Conn) net.Conn {
	if plain, ok := conn.(*net.TCPConn); ok {
		return &wire{TCPConn: plain}
	}
	return conn
}

type wire struct {
	*net.TCPConn

	writing sync.Mutex
}

// Read returns nothing before the write that it answers has passed its mark: a process that is to die there must not have
// seen the reply.
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.TCPConn.Read(b)
	w.writing.Lock()
	defer w.writing.Unlock()
	return n, err
}

// Write reaches the point with the connection locked: when the process wakes up after its deadline, others close the
// connection, which waits until the bytes have left.
func (w *wire) Write(b []byte) (int, error) {
	w.writing.Lock()
	defer w.writing.Unlock()
	raw, err := w.SyscallConn()
	if err != nil {
		return 0, err
	}
	reads := bytes.HasPrefix(b, []byte("GET ")) // audits and polls come at any time, and are not meant
	var n int
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		if !reads {
			Before(Wire)
		}
		for n < len(b) && failed == nil {
			var wrote int
			if wrote, failed = syscall.Write(int(fd), b[n:]); failed == nil {
				n += wrote
			}
		}
		if failed == syscall.EAGAIN {
			failed = nil
			return false
		}
		if !reads {
			After(Wire, failed)
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return n, err
}
