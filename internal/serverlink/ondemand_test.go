package serverlink_test

import (
	"testing"
	"time"

	"github.com/hubgate/hubgate/internal/serverlink"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// TestFullLinkAsksForAnother is row 16 of the feature table: an app server whose link is full is asked for one more, once, and new clients go to it.
func TestFullLinkAsksForAnother(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{servers: serverlink.Limits{PingInterval: 20 * time.Millisecond, ClientsPerLink: 1}})
	a := s.server("chat", "server1")
	s.connect(a, "")
	s.connect(a, "")
	ping := receive[*svcproto.Ping](a)
	target, ok := ping.Get("target")
	if !ok || target != "node1" {
		t.Fatalf("the app server is sent %+v, not the wish for one more link", ping)
	}
	more := s.dialServer("chat", "server1")
	more.send(&svcproto.HandshakeRequest{Version: 1, ConnectionType: svcproto.ConnectionOnDemand, Target: target})
	receive[*svcproto.HandshakeResponse](more)
	more.send(&svcproto.Ping{Values: []svcproto.PingValue{{Key: "status", Value: "1"}}})
	receive[*svcproto.Ping](more)
	s.connect(more, "")
	a.nothing() // it is not asked again and again
}
