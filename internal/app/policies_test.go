package app

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/config"
)

// guarded is the story behind policies: a product with a subscription, a check of the client's token and a limit on the negotiate operation.
const guarded = `
signalr:
  - name: ASRS1
    primaryKey: the-primary-key-of-this-test-0123456789
    secondaryKey: the-secondary-key-of-this-test-0123456789
apiManagement:
  - name: APIM1
    apis:
      - name: signalr
        path: client
        serviceUrl: %[1]s/client
        operations:
          - method: POST
            urlTemplate: /negotiate
            policy: |
              <policies>
                <inbound>
                  <base />
                  <validate-jwt header-name="Authorization" require-scheme="Bearer" output-token-variable-name="token">
                    <issuer-signing-keys><key>%[2]s</key></issuer-signing-keys>
                  </validate-jwt>
                  <rate-limit-by-key calls="3" renewal-period="60" counter-key="@(((Jwt)context.Variables["token"]).Claims.GetValueOrDefault("asrs.s.uid", "nobody"))" />
                </inbound>
                <backend><base /></backend>
                <outbound>
                  <base />
                  <set-header name="X-Product" exists-action="override"><value>@(context.Product.Name)</value></set-header>
                </outbound>
              </policies>
          - {method: POST, urlTemplate: /}
          - {method: GET, urlTemplate: /}
          - {method: DELETE, urlTemplate: /}
      - name: signalr-connect
        type: websocket
        path: client
        serviceUrl: ws%[3]s/client/
    products:
      - {name: chat, displayName: Chat, apis: [signalr, signalr-connect]}
    subscriptions:
      - {name: web, product: chat, primaryKey: web-primary, secondaryKey: web-secondary}
`

const guardedKey = "the-primary-key-of-this-test-0123456789"

// clientToken is a token for the hub chat.
func clientToken(t *testing.T, user string) string {
	t.Helper()
	claims := append(auth.Lifetime(time.Now(), time.Hour), auth.Claim{Type: auth.ClaimUserID, Value: user}, auth.Claim{Type: auth.ClaimAudience, Value: "http://localhost/client/?hub=chat"})
	token, err := auth.Sign(guardedKey, auth.HS256, claims...)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// freePort is an address that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestSignalRBehindPolicies(t *testing.T) {
	t.Parallel()
	address := freePort(t) // it stands in the configuration
	c, err := config.Parse(fmt.Appendf(nil, guarded, "http://"+address, base64.StdEncoding.EncodeToString([]byte(guardedKey)), "://"+address), "hubgate.yaml",
		func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	a, _ := run(t, Options{Config: c, SignalRAddress: address})
	const hub = "hub=chat"
	token := clientToken(t, "ann")

	negotiate := func(key, bearer string) (int, http.Header, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.Gateway+"/client/negotiate?negotiateVersion=1&"+hub, nil)
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			r.Header.Set("Ocp-Apim-Subscription-Key", key)
		}
		r.Header.Set("Authorization", "Bearer "+bearer)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Header, string(body)
	}
	if code, header, _ := negotiate("", token); code != http.StatusUnauthorized || !strings.Contains(header.Get("WWW-Authenticate"), "AzureApiManagementKey") {
		t.Errorf("without a subscription key the answer is %d %s", code, header.Get("WWW-Authenticate"))
	}
	if code, _, body := negotiate("web-primary", token+"x"); code != http.StatusUnauthorized || !strings.Contains(body, `"statusCode": 401`) {
		t.Errorf("with a forged token the answer is %d %s", code, body)
	}
	var connectionToken string
	for i := range 4 {
		code, header, body := negotiate("web-secondary", token)
		switch {
		case i == 3:
			if code != http.StatusTooManyRequests || header.Get("Retry-After") == "" {
				t.Errorf("the call above the limit is answered with %d %s", code, body)
			}
		case code != http.StatusOK || header.Get("X-Product") != "Chat":
			t.Fatalf("call %d is answered with %d %s, product %q", i, code, body, header.Get("X-Product"))
		default:
			_, after, _ := strings.Cut(body, `"connectionToken":"`)
			connectionToken, _, _ = strings.Cut(after, `"`)
		}
	}
	if code, _, _ := negotiate("web-primary", clientToken(t, "bob")); code != http.StatusOK {
		t.Errorf("another user shares the limit: %d", code)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	socket := "ws" + strings.TrimPrefix(a.Gateway, "http") + "/client/?" + hub + "&id=" + connectionToken + "&access_token=" + token
	if _, res, err := websocket.Dial(ctx, socket, nil); err == nil || res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a WebSocket without a subscription key gets %v, %v", res, err)
	}
	conn, _, err := websocket.Dial(ctx, socket+"&subscription-key=web-primary", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	ann := &client{t: t, conn: conn}
	ann.send(`{"protocol":"json","version":1}`)
	if got := ann.next(); got != `{"error":"No server available."}` { // nobody serves the hub here; the client is through to the service
		t.Errorf("the handshake is answered with %s", got)
	}
}
