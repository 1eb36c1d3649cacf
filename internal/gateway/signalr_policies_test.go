package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-jose/go-jose/v4"

	"github.com/hubgate/hubgate/internal/resource"
)

// TestSignalRWithPolicies puts a SignalR instance behind a product with keys, with a token and a rate limit for its negotiate
// operation. The key of a browser's WebSocket is in the query.
func TestSignalRWithPolicies(t *testing.T) {
	t.Parallel()
	key := []byte("0123456789abcdef0123456789abcdef")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	claims, _ := json.Marshal(map[string]any{"sub": "ada", "aud": "chat", "exp": time.Now().Add(time.Hour).Unix()})
	signed, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, _ := signed.CompactSerialize()
	backend := httptest.NewServer(signalRBackend(t))
	t.Cleanup(backend.Close) // After the parallel subtests.
	host := strings.TrimPrefix(backend.URL, "http://")
	negotiate := `<policies><inbound><base/>
		<validate-jwt header-name="Authorization" require-scheme="Bearer" output-token-variable-name="token"><issuer-signing-keys><key>` + base64.StdEncoding.EncodeToString(key) + `</key></issuer-signing-keys><audiences><audience>chat</audience></audiences></validate-jwt>
		<rate-limit-by-key calls="2" renewal-period="300" counter-key="@(((Jwt)context.Variables["token"]).Subject + context.Api.Id)"/>
		<set-header name="X-User"><value>@(((Jwt)context.Variables["token"]).Subject)</value></set-header></inbound></policies>`
	for where, local := range map[string]bool{"on the network": false, "in process": true} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			list := stories("http://"+host, "ws://"+host)["shared suffix"]
			product := testService.Child("products", "chat")
			list = append(list, &resource.Product{ID: product, SubscriptionRequired: true}, &resource.Subscription{ID: testService.Child("subscriptions", "room"), Scope: "/products/chat", PrimaryKey: "room-key", SecondaryKey: "room-other"})
			for _, r := range list {
				switch r := r.(type) {
				case *resource.API:
					r.SubscriptionRequired = true
					list = append(list, &resource.ProductAPI{ID: product.Child("apis", r.BaseName())})
				case *resource.Operation:
					if r.Method == "POST" && r.URLTemplate == "/negotiate" {
						list = append(list, policyOf(r.ID, negotiate))
					}
				}
			}
			var o Options
			if local {
				h := signalRBackend(t)
				o.Local = func(*url.URL) http.Handler { return h }
			}
			_, address := startGateway(t, o, list...)
			post := func(headers ...string) (int, string) {
				r, _ := http.NewRequest("POST", address+"/client/negotiate?hub=chat&negotiateVersion=1", nil)
				for i := 0; i < len(headers); i += 2 {
					r.Header.Set(headers[i], headers[i+1])
				}
				response, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				body, _ := io.ReadAll(response.Body)
				return response.StatusCode, string(body)
			}
			keyed := []string{"Ocp-Apim-Subscription-Key", "room-key"}
			if status, body := post(); status != 401 || !strings.Contains(body, "missing subscription key") {
				t.Errorf("without a key: %d %s", status, body)
			}
			if status, body := post(keyed...); status != 401 || !strings.Contains(body, "JWT not present.") {
				t.Errorf("without a token: %d %s", status, body)
			}
			keyed = append(keyed, "Authorization", "Bearer "+token)
			for _, want := range []int{200, 200, 429} {
				if status, body := post(keyed...); status != want {
					t.Errorf("%d %s, want %d", status, body, want)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			open := "ws" + strings.TrimPrefix(address, "http") + "/client/?hub=chat&id=1"
			if c, response, err := websocket.Dial(ctx, open, nil); err == nil || response == nil || response.StatusCode != 401 {
				t.Errorf("a WebSocket without a key: %v", err)
				if err == nil {
					c.CloseNow()
				}
			}
			c, _, err := websocket.Dial(ctx, open+"&subscription-key=room-key", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
				t.Fatal(err)
			}
			if _, data, err := c.Read(ctx); err != nil || string(data) != "hello" {
				t.Errorf("%q %v", data, err)
			}
		})
	}
}
