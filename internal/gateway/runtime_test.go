package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/hubgate/hubgate/internal/resource"
)

// inProcess is a gateway without sockets, for tests on a clock of their own: one API "a" with operations GET and POST on /x.
func inProcess(t testing.TB, backend http.Handler, policies string, more ...resource.Resource) *Gateway {
	t.Helper()
	o := localOptions(backend)
	o.Service = testService
	g := New(o)
	t.Cleanup(g.Close)
	configure(t, g, policies, more...)
	return g
}

func configure(t testing.TB, g *Gateway, policies string, more ...resource.Resource) {
	t.Helper()
	list := append(httpAPI("a", "a", "http://local", "GET /x", "POST /x"), more...)
	if policies != "" {
		list = append(list, policyOf(testService.Child("apis", "a"), "<policies>"+policies+"</policies>"))
	}
	if err := g.Update(list); err != nil {
		t.Fatal(err)
	}
}

// call sends a request and returns the response with its body.
func call(g http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body == "" {
		r.Body = http.NoBody
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

var fine = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "fine") })

func TestRateLimitSlides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const policies = `<inbound><rate-limit-by-key calls="2" renewal-period="60" counter-key="k" remaining-calls-header-name="X-Left"/></inbound>`
		g := inProcess(t, fine, policies)
		expect := func(status int, left, retry string) {
			t.Helper()
			w := call(g, "GET", "/a/x", "")
			if w.Code != status || w.Header().Get("X-Left") != left || w.Header().Get("Retry-After") != retry {
				t.Fatalf("%s: %d, left %q, retry after %q", time.Now().Format("04:05"), w.Code, w.Header().Get("X-Left"), w.Header().Get("Retry-After"))
			}
			if retry != "" {
				want := `{ "statusCode": 429, "message": "Rate limit is exceeded. Try again in ` + retry + ` seconds." }`
				if got := w.Body.String(); got != want {
					t.Fatalf("body %q", got)
				}
			}
		}
		expect(200, "1", "")
		time.Sleep(20 * time.Second)
		expect(200, "0", "")
		time.Sleep(10*time.Second + time.Millisecond)
		expect(429, "0", "30")    // A part of a second is rounded up.
		configure(t, g, policies) // A new configuration goes on with the counts.
		expect(429, "0", "30")
		time.Sleep(30 * time.Second)
		expect(200, "0", "")
		expect(429, "0", "20")
	})
}

func TestQuotaIsReplenished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // The clock begins at 2000-01-01T00:00:00Z.
		g := inProcess(t, fine, `<inbound><quota-by-key calls="1" renewal-period="3600" counter-key="k" first-period-start="1999-12-31T23:30:00Z"/></inbound>`)
		if w := call(g, "GET", "/a/x", ""); w.Code != 200 {
			t.Fatal(w.Code)
		}
		time.Sleep(23*time.Minute + 14*time.Second)
		w := call(g, "GET", "/a/x", "")
		if want := `{ "statusCode": 403, "message": "Out of call volume quota. Quota will be replenished in 00:06:46." }`; w.Code != 403 || w.Body.String() != want || w.Header().Get("Retry-After") != "406" {
			t.Fatalf("%d %s, retry after %q", w.Code, w.Body, w.Header().Get("Retry-After"))
		}
		time.Sleep(406 * time.Second)
		if w := call(g, "GET", "/a/x", ""); w.Code != 200 {
			t.Fatal(w.Code)
		}
	})
}

func TestRetryWaits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attributes string
		waits      []time.Duration
	}{
		"fixed":  {`interval="5"`, []time.Duration{5 * time.Second, 5 * time.Second, 5 * time.Second}},
		"linear": {`interval="5" delta="2"`, []time.Duration{5 * time.Second, 7 * time.Second, 9 * time.Second}},
		"fast":   {`interval="5" first-fast-retry="true"`, []time.Duration{0, 5 * time.Second, 5 * time.Second}},
		"capped": {`interval="5" delta="100" max-interval="6"`, []time.Duration{6 * time.Second, 6 * time.Second, 6 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var at []time.Time
				g := inProcess(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					at = append(at, time.Now())
					w.WriteHeader(503)
				}), `<backend><retry condition="@(context.Response.StatusCode == 503)" count="3" `+c.attributes+`><forward-request/></retry></backend>`)
				if w := call(g, "GET", "/a/x", ""); w.Code != 503 {
					t.Fatal(w.Code)
				}
				if len(at) != 4 {
					t.Fatalf("%d attempts", len(at))
				}
				for i, want := range c.waits {
					if got := at[i+1].Sub(at[i]); got != want {
						t.Errorf("wait %d: %s, want %s", i+1, got, want)
					}
				}
			})
		})
	}
}

func TestRetryEndsWithTheClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := inProcess(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }),
			`<backend><retry condition="true" count="50" interval="100"><forward-request/></retry></backend>`)
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		begin := time.Now()
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/a/x", nil))
		if took := time.Since(begin); took != 150*time.Second {
			t.Errorf("it went on for %s", took)
		}
	})
}

func TestLimitConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		g := inProcess(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-release }),
			`<backend><limit-concurrency key="@(context.Request.Headers.GetValueOrDefault("K","k"))" max-count="2"><forward-request/></limit-concurrency></backend>`)
		var wait sync.WaitGroup
		var refused atomic.Int32
		for range 5 {
			wait.Go(func() {
				if call(g, "GET", "/a/x", "").Code == 429 {
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		if n := refused.Load(); n != 3 {
			t.Errorf("%d of 5 were refused", n)
		}
		wait.Go(func() {
			if w := call(g, "GET", "/a/x", "", "K", "other"); w.Code != 200 {
				t.Error("another key is refused", w.Code)
			}
		})
		synctest.Wait()
		close(release)
		wait.Wait()
		if w := call(g, "GET", "/a/x", ""); w.Code != 200 {
			t.Error("the places are not given back", w.Code)
		}
	})
}

func TestCachesExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		g := inProcess(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, n.Add(1)) }),
			`<inbound><cache-lookup vary-by-developer="false" vary-by-developer-groups="false" downstream-caching-type="public"/></inbound><outbound><cache-store duration="30"/></outbound>`)
		expect := func(body, age string) {
			t.Helper()
			if w := call(g, "GET", "/a/x", ""); w.Body.String() != body || w.Header().Get("Age") != age {
				t.Errorf("%s, age %q; want %s, %q", w.Body, w.Header().Get("Age"), body, age)
			}
		}
		expect("1", "")
		time.Sleep(20 * time.Second)
		expect("1", "20")
		time.Sleep(10 * time.Second)
		expect("2", "")
	})
}

func TestCacheValueRefreshes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := inProcess(t, fine, `<inbound><cache-value key="k" variable-name="v" expires-after="100" refresh-after="10"><set-variable name="v" value="@(context.Timestamp.ToString("mm:ss"))"/>
			<retry condition="@(context.Request.Headers.ContainsKey("Slow") && context.Elapsed.TotalSeconds < 5)" count="1" interval="5"><set-variable name="x" value="1"/></retry></cache-value>
			<return-response><set-body>@((string)context.Variables["v"])</set-body></return-response></inbound>`)
		get := func(headers ...string) string { return call(g, "GET", "/a/x", "", headers...).Body.String() }
		if got := get(); got != "00:00" {
			t.Fatal(got)
		}
		time.Sleep(9 * time.Second)
		if got := get(); got != "00:00" {
			t.Error("made anew too early:", got)
		}
		time.Sleep(time.Second)
		var wait sync.WaitGroup
		wait.Go(func() {
			if got := get("Slow", "1"); got != "00:10" {
				t.Error("not made anew:", got)
			}
		})
		synctest.Wait()
		if got := get(); got != "00:00" {
			t.Error("the old value is not used while another request makes the new one:", got)
		}
		wait.Wait()
		if got := get(); got != "00:10" {
			t.Error("the new value is not kept:", got)
		}
	})
}

func TestWaitRunsAtTheSameTime(t *testing.T) {
	t.Parallel()
	// Each of the two waits until the other has come, so one after the other they would never end.
	var both sync.WaitGroup
	both.Add(2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		both.Done()
		both.Wait()
		fmt.Fprint(w, r.URL.Path)
	}))
	defer server.Close()
	send := func(name string) string {
		return `<send-request mode="new" response-variable-name="` + name + `" timeout="30"><set-url>` + server.URL + "/" + name + `</set-url><set-method>GET</set-method></send-request>`
	}
	g := inProcess(t, fine, `<inbound><wait for="all">`+send("one")+send("two")+`</wait>
		<return-response><set-body>@(((IResponse)context.Variables["one"]).Body.As<string>() + ((IResponse)context.Variables["two"]).Body.As<string>())</set-body></return-response></inbound>`)
	if w := call(g, "GET", "/a/x", ""); w.Body.String() != "/one/two" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestWaitAnyEndsTheOthers(t *testing.T) {
	t.Parallel()
	arrived, ended := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(arrived)
			<-r.Context().Done()
			close(ended)
		}
		<-arrived // a request that is ended before it was sent would end nothing here
	}))
	defer server.Close()
	send := func(name string) string {
		return `<send-request mode="new" response-variable-name="` + name + `" timeout="60"><set-url>` + server.URL + "/" + name + `</set-url><set-method>GET</set-method></send-request>`
	}
	g := inProcess(t, fine, `<inbound><wait for="any">`+send("slow")+send("quick")+`</wait>
		<return-response><set-body>@(context.Variables.ContainsKey("quick") + " " + context.Variables.ContainsKey("slow"))</set-body></return-response></inbound>`)
	if w := call(g, "GET", "/a/x", ""); w.Body.String() != "True False" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	<-ended
}

func TestSendOneWayRequest(t *testing.T) {
	t.Parallel()
	arrived, answer := make(chan string), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- r.Method + " " + r.URL.Path + " " + string(body)
		<-answer
	}))
	defer server.Close()
	g := inProcess(t, fine, `<inbound><send-one-way-request mode="new"><set-url>`+server.URL+`/log</set-url><set-method>POST</set-method><set-body>@("saw " + context.Request.Method)</set-body></send-one-way-request></inbound>`)
	if w := call(g, "GET", "/a/x", ""); w.Code != 200 || w.Body.String() != "fine" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := <-arrived; got != "POST /log saw GET" {
		t.Error(got)
	}
	close(answer)
}

func TestSendRequestTimesOut(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" { // The head comes in time, the body never.
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	}))
	defer server.Close()
	for _, path := range []string{"/head", "/body"} {
		g := inProcess(t, fine, `<inbound><send-request mode="new" response-variable-name="r" timeout-ms="50"><set-url>`+server.URL+path+`</set-url><set-method>GET</set-method></send-request></inbound>
			<on-error><set-header name="X-Reason"><value>@(context.LastError.Source + " " + context.LastError.Reason)</value></set-header></on-error>`)
		if w := call(g, "GET", "/a/x", ""); w.Code != 500 || w.Header().Get("X-Reason") != "send-request Timeout" {
			t.Errorf("%s: %d %q", path, w.Code, w.Header().Get("X-Reason"))
		}
	}
}

// TestRecursion sends a request whose policy sends the same request to its own gateway.
func TestRecursion(t *testing.T) {
	t.Parallel()
	var g *Gateway
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		g.ServeHTTP(w, r)
	}))
	defer server.Close()
	g = inProcess(t, fine, `<inbound><send-request mode="copy" response-variable-name="r" timeout="30"><set-url>`+server.URL+`/a/x</set-url></send-request><return-response response-variable-name="r"/></inbound>`)
	if w := call(server.Config.Handler, "GET", "/a/x", ""); w.Code != http.StatusLoopDetected {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if n := calls.Load(); n != 6 {
		t.Errorf("%d requests", n)
	}
}

func TestEncryptedToken(t *testing.T) {
	t.Parallel()
	key := []byte("0123456789abcdef0123456789abcdef")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	claims, _ := json.Marshal(map[string]any{"sub": "ada", "exp": time.Now().Add(time.Hour).Unix()})
	signed, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	inner, _ := signed.CompactSerialize()
	wrap := []byte("fedcba9876543210")
	encrypter, err := jose.NewEncrypter(jose.A128GCM, jose.Recipient{Algorithm: jose.A128KW, Key: wrap}, (&jose.EncrypterOptions{}).WithContentType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := encrypter.Encrypt([]byte(inner))
	if err != nil {
		t.Fatal(err)
	}
	token, _ := encrypted.CompactSerialize()
	policies := func(decryption []byte) string {
		return `<inbound><validate-jwt header-name="Authorization" output-token-variable-name="t"><issuer-signing-keys><key>` + base64.StdEncoding.EncodeToString(key) + `</key></issuer-signing-keys>
			<decryption-keys><key>` + base64.StdEncoding.EncodeToString([]byte("another key 0123")) + `</key><key>` + base64.StdEncoding.EncodeToString(decryption) + `</key></decryption-keys></validate-jwt>
			<return-response><set-body>@(((Jwt)context.Variables["t"]).Subject)</set-body></return-response></inbound>`
	}
	if w := call(inProcess(t, fine, policies(wrap)), "GET", "/a/x", "", "Authorization", "Bearer "+token); w.Body.String() != "ada" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call(inProcess(t, fine, policies([]byte("wrong wrong wron"))), "GET", "/a/x", "", "Authorization", "Bearer "+token); w.Code != 401 {
		t.Errorf("with a wrong key: %d %s", w.Code, w.Body)
	}
}

func TestExpressionStateIsNotShared(t *testing.T) {
	t.Parallel()
	g := inProcess(t, fine, `<inbound><return-response><set-body>@(context.Request.OriginalUrl.Query.GetValueOrDefault("n") + context.Operation.Method + (context.Subscription == null) + context.Variables.ContainsKey("n"))</set-body></return-response></inbound>`)
	var wait sync.WaitGroup
	for i := range 200 {
		wait.Go(func() {
			method := []string{"GET", "POST"}[i%2]
			if w := call(g, method, fmt.Sprintf("/a/x?n=%d", i), ""); w.Body.String() != fmt.Sprintf("%d%sTrueFalse", i, method) {
				t.Error(i, w.Body)
			}
		})
	}
	wait.Wait()
}

// TestExpressionStateOfTheSameInstant answers two requests at the same time of a clock that stands still: the second must not see the
// first one's operation, though it may use the same memory.
func TestExpressionStateOfTheSameInstant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := inProcess(t, fine, `<inbound><return-response><set-body>@(context.Operation.Method)</set-body></return-response></inbound>`)
		for i := range 10 {
			method := []string{"GET", "POST"}[i%2]
			if w := call(g, method, "/a/x", ""); w.Body.String() != method {
				t.Errorf("%s sees %s", method, w.Body)
			}
		}
	})
}

func TestRequestWithoutOperationRunsOnError(t *testing.T) {
	t.Parallel()
	g := inProcess(t, fine, `<on-error><set-header name="X-Seen"><value>@(context.Request.Method + " " + context.Request.Headers.GetValueOrDefault("K") + " " + (context.Operation == null) + " " + context.Request.Url.Path)</value></set-header></on-error>`)
	if w := call(g, "DELETE", "/a/x", "", "K", "v"); w.Code != 404 || w.Header().Get("X-Seen") != "DELETE v True /a/x" {
		t.Errorf("%d %q", w.Code, w.Header().Get("X-Seen"))
	}
}
