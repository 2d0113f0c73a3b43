//go:build !failpoints

package failpoint

import "net"

// Before marks that the request is about to be sent. Nothing happens in a program without the tag.
func Before(Point) {}

// After marks that the request was carried out, which it was not when there is an error. Nothing happens in a program
// without the tag.
func After(Point, error) {}

// OnWire gives a connection the point Wire. Without the tag it returns the connection as it is.
func OnWire(conn net.Conn) net.Conn { return conn }
