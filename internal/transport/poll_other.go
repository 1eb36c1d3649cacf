//go:build !unix

package transport

import "net"

// poller is not to be had on this system.
type poller struct{}

func (*poller) init(net.Conn) bool           { return false }
func (*poller) fill(*Buffer, bool) error     { panic("unreachable: there is no poller") }
func (*poller) tryWrite([]byte) (int, error) { panic("unreachable: there is no poller") }
