//go:build !unix

package transport

import "net"

// poller is not to be had on this system.
type poller struct{}

func newPoller(net.Conn) *poller             { return nil }
func (*poller) fill(*Buffer) error           { panic("unreachable: there is no poller") }
func (*poller) tryWrite([]byte) (int, error) { panic("unreachable: there is no poller") }
