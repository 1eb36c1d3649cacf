package gateway

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// benchmarkGET measures a GET through the gateway to a backend in process.
func benchmarkGET(b *testing.B, policies string) {
	g := inProcess(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("fine")) }), policies)
	r := httptest.NewRequest("GET", "/a/x?a=1", nil)
	r.Header.Set("Origin", "https://app.example")
	r.Header.Set("X-Client", "client-1")
	b.ReportAllocs()
	for b.Loop() {
		g.ServeHTTP(&discardWriter{header: http.Header{}}, r)
	}
}

const fourPolicies = `<inbound><cors allow-credentials="true"><allowed-origins><origin>https://app.example</origin></allowed-origins><allowed-headers><header>*</header></allowed-headers></cors>
	<rate-limit-by-key calls="1000000000" renewal-period="300" counter-key="@(context.Request.Headers.GetValueOrDefault("X-Client", "none"))"/>
	<set-header name="X-Gateway" exists-action="override"><value>hubgate</value></set-header></inbound>`

func BenchmarkGETInProcess(b *testing.B) {
	b.Run("no policy", func(b *testing.B) { benchmarkGET(b, "") })
	b.Run("four policies", func(b *testing.B) { benchmarkGET(b, fourPolicies) })
}

// BenchmarkGETOnTheNetwork is the comparison that the goal is about: client, gateway and backend on sockets.
func BenchmarkGETOnTheNetwork(b *testing.B) {
	for name, policies := range map[string]string{"no policy": "", "four policies": fourPolicies} {
		b.Run(name, func(b *testing.B) {
			backend := httptest.NewServer(fine)
			defer backend.Close()
			g := New(Options{Service: testService})
			b.Cleanup(g.Close)
			list := httpAPI("a", "a", backend.URL, "GET /x")
			if policies != "" {
				list = append(list, policyOf(testService.Child("apis", "a"), "<policies>"+policies+"</policies>"))
			}
			if err := g.Update(list); err != nil {
				b.Fatal(err)
			}
			server := httptest.NewServer(g)
			defer server.Close()
			u, _ := url.Parse(server.URL + "/a/x?a=1")
			r := &http.Request{Method: "GET", URL: u, Header: http.Header{"Origin": {"https://app.example"}, "X-Client": {"client-1"}}}
			b.ReportAllocs()
			for b.Loop() {
				response, err := server.Client().Do(r)
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		})
	}
}
