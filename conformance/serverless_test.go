//go:build conformance

package conformance

import (
	"strings"
	"testing"
)

// serverless has no app server: the suite is the app, with a negotiate endpoint, an upstream endpoint and calls of the REST API.
var serverless = topology{"serverless", "all"}

// A serverless app chats with npm's client.
func TestServerless(t *testing.T) {
	s := &stage{topology: serverless, appURL: "http://" + freeAddress(t)}
	ready := s.newService(t).run(t)
	endpoint, err := clientEndpoint(ready.ConnectionString)
	if err != nil {
		t.Fatal(err)
	}
	s.clientEndpoint = endpoint
	key := ""
	for field := range strings.SplitSeq(ready.ConnectionString, ";") {
		if value, ok := strings.CutPrefix(field, "AccessKey="); ok {
			key = value
		}
	}
	s.node(t, "serverless app", "client/serverless.test.mjs", "ACCESS_KEY="+key)
}
