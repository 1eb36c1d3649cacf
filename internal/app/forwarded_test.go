package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/appserver"
	"github.com/hubgate/hubgate/internal/config"
)

const behindTheGateway = `
signalr:
  - name: ASRS1
    primaryKey: the-primary-key-of-this-test-0123456789
    secondaryKey: the-secondary-key-of-this-test-0123456789
    quotas:
      connectionRules: [{by: IP, maxCount: 1}]
apiManagement:
  - name: APIM1
    apis:
      - {name: connect, type: websocket, path: client, serviceUrl: "ws://%s/client/", subscriptionRequired: false}
gateway:
  trustedProxies: [%s]
`

// addressHub tells each client where it comes from, as the app sees it.
type addressHub struct{}

// From sends the address, and the header that holds it.
func (addressHub) From(c *appserver.Context) error {
	return c.Clients().Caller().Send(c, "from", c.RemoteAddress(), c.Header().Get("X-Forwarded-For"))
}

// TestForgedAddressBehindTheGateway shows that a client behind a gateway cannot choose the address by which it is counted and which apps
// see, and that a proxy in front which is trusted can.
func TestForgedAddressBehindTheGateway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		proxies string
		from    map[string]string // what a client sends as X-Forwarded-For, to the address that the app sees; "" for one that is refused
		order   []string
	}{
		"nobody is trusted": {"", map[string]string{"203.0.113.5": "127.0.0.1", "203.0.113.6": ""}, []string{"203.0.113.5", "203.0.113.6"}},
		"a trusted proxy": {"127.0.0.1", map[string]string{"203.0.113.5": "203.0.113.5", "203.0.113.6": "203.0.113.6", "203.0.113.7, 203.0.113.5": ""},
			[]string{"203.0.113.5", "203.0.113.6", "203.0.113.7, 203.0.113.5"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := freePort(t)
			settings, err := config.Parse(fmt.Appendf(nil, behindTheGateway, address, c.proxies), "hubgate.yaml", nil)
			if err != nil {
				t.Fatal(err)
			}
			a, _ := run(t, Options{Config: settings, SignalRAddress: address})
			runApp(t, a.ConnectionString)
			for _, forwarded := range c.order {
				conn, got := connectFrom(t, a.Gateway, forwarded)
				if want := c.from[forwarded]; got != want {
					t.Errorf("with X-Forwarded-For: %s the app sees %q, want %q", forwarded, got, want)
				}
				if conn != nil {
					defer conn.CloseNow() // It counts until the end.
				}
			}
		})
	}
}

func runApp(t *testing.T, connectionString string) {
	t.Helper()
	app, err := appserver.New(connectionString, appserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.Handle("chat", addressHub{}, appserver.HubOptions{}); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- app.Run(running) }()
	t.Cleanup(func() {
		stop()
		<-done
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := app.WaitConnected(ctx); err != nil {
		t.Fatal(err)
	}
}

// connectFrom connects with the header and returns the address that the app saw; nil and "" when there are too many clients.
func connectFrom(t *testing.T, gateway, forwarded string) (*websocket.Conn, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	header := http.Header{"Authorization": {"Bearer " + clientToken(t, "ann")}, "X-Forwarded-For": {forwarded}}
	conn, response, err := websocket.Dial(ctx, gateway+"/client/?hub=chat", &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		if response == nil || response.StatusCode != http.StatusTooManyRequests {
			t.Fatal(err)
		}
		return nil, ""
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"protocol":"json","version":1}`+"\x1e"+`{"type":1,"target":"From","arguments":[]}`+"\x1e")); err != nil {
		t.Fatal(err)
	}
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, arguments, ok := strings.Cut(string(data), `"target":"from","arguments":["`); ok {
			arguments, _, _ = strings.Cut(arguments, `"]`)
			address, header, _ := strings.Cut(arguments, `","`)
			if address != header {
				t.Errorf("the app's header is %s", header)
			}
			return conn, address
		}
	}
}
