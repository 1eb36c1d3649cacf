package gateway

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, t := range texts {
		all = append(all, netip.MustParsePrefix(t))
	}
	return all
}

func TestClientBehind(t *testing.T) {
	t.Parallel()
	trusted := prefixes("10.0.0.0/8", "fd00::/8")
	many := strings.Repeat("10.0.0.9,", 10_000)
	for name, c := range map[string]struct {
		peer  string
		lines []string
		want  string // "" when the header is not believed
	}{
		"not trusted":           {"192.0.2.1:5", []string{"198.51.100.7"}, ""},
		"no header":             {"10.0.0.1:5", nil, "10.0.0.1"},
		"one":                   {"10.0.0.1:5", []string{"198.51.100.7"}, "198.51.100.7"},
		"the client's own word": {"10.0.0.1:5", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		"behind two":            {"10.0.0.1:5", []string{"203.0.113.9, 198.51.100.7 ,10.0.0.2"}, "198.51.100.7"},
		"several lines":         {"10.0.0.1:5", []string{"203.0.113.9", "198.51.100.7,10.0.0.3", "\t10.0.0.2 "}, "198.51.100.7"},
		"all trusted":           {"10.0.0.1:5", []string{"10.0.0.4", "10.0.0.3,10.0.0.2"}, "10.0.0.4"},
		"with a port":           {"10.0.0.1:5", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		"IPv6":                  {"[fd00::1]:5", []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv6 in brackets":      {"[fd00::1]:5", []string{"[2001:db8::7], [fd00::2]:4711"}, "2001:db8::7"},
		"mapped":                {"[::ffff:10.0.0.1]:5", []string{"::ffff:198.51.100.7, ::ffff:10.0.0.2"}, "198.51.100.7"},
		"zone":                  {"10.0.0.1:5", []string{"fe80::7%eth0"}, "fe80::7"},
		"empty":                 {"10.0.0.1:5", []string{""}, "10.0.0.1"},
		"nonsense":              {"10.0.0.1:5", []string{"198.51.100.7, unknown"}, "10.0.0.1"},
		"nonsense behind one":   {"10.0.0.1:5", []string{"198.51.100.7, , 10.0.0.2"}, "10.0.0.2"},
		"host name":             {"10.0.0.1:5", []string{"client.example"}, "10.0.0.1"},
		"brackets around IPv4":  {"10.0.0.1:5", []string{"[198.51.100.7]"}, "10.0.0.1"},
		"longer than a chain":   {"10.0.0.1:5", []string{"198.51.100.7," + many + "10.0.0.2"}, "10.0.0.9"},
		"no peer":               {"@", []string{"198.51.100.7"}, ""},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.lines}}
		got, ok := clientBehind(r, trusted)
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%s: got %v and %v, want %q", name, got, ok, c.want)
		}
		if _, ok := clientBehind(r, nil); ok {
			t.Errorf("%s: the header is believed without any trusted proxy", name)
		}
	}
}

// FuzzClientBehind compares with a reading of the whole chain from its start.
func FuzzClientBehind(f *testing.F) {
	for _, seed := range []string{"", "198.51.100.7", "a, 10.0.0.1", "1.2.3.4,10.0.0.1\n10.0.0.2", "[::1]:5, 10.1.1.1:80", ",,,", "::ffff:10.0.0.1, fe80::1%x", strings.Repeat("10.0.0.1,", 40)} {
		f.Add(seed)
	}
	trusted := prefixes("10.0.0.0/8")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		want := netip.MustParseAddr("10.9.9.9")
		chain := strings.Split(strings.Join(lines, ","), ",")
		slices.Reverse(chain)
		for _, entry := range chain[:min(len(chain), maxForwarded)] {
			a, ok := forwardedAddress(entry)
			if !ok {
				break
			}
			if want = a; !trusted[0].Contains(a) {
				break
			}
		}
		got, ok := clientBehind(&http.Request{RemoteAddr: "10.9.9.9:1", Header: http.Header{"X-Forwarded-For": lines}}, trusted)
		if !ok || got != want || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("%q: got %v and %v, want %v", lines, got, ok, want)
		}
	})
}

// TestTrustedProxies shows what policies, the log and backends see of a client's address.
func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	seen := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.RemoteAddr, ":")
		fmt.Fprintf(w, "%s|%s", strings.Join(r.Header["X-Forwarded-For"], "+"), host)
	})
	backend := httptest.NewServer(seen)
	defer backend.Close()
	document := `<policies>
  <inbound>
    <set-variable name="caller" value="@(context.Request.IpAddress)" />
    <ip-filter action="forbid"><address>198.51.100.66</address></ip-filter>
    <rate-limit-by-key calls="2" renewal-period="300" counter-key="@(context.Request.IpAddress)" />
  </inbound>
  <backend><base /></backend>
  <outbound><set-header name="X-Caller"><value>@((string)context.Variables["caller"])</value></set-header></outbound>
</policies>`
	for where, local := range map[string]func(*url.URL) http.Handler{"on the network": nil, "in process": func(*url.URL) http.Handler { return seen }} {
		for _, believed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s believed %v", where, believed), func(t *testing.T) {
				o := Options{Local: local}
				if believed {
					o.TrustedProxies = prefixes("127.0.0.0/8", "10.0.0.0/8")
				}
				_, address := startGateway(t, o, append(httpAPI("a", "a", backend.URL, "GET /"), policyOf(testService.Child("apis", "a"), document))...)
				get := func(forwarded string) (int, string, string) {
					t.Helper()
					r, _ := http.NewRequest(http.MethodGet, address+"/a", nil)
					r.Header.Set("X-Forwarded-For", forwarded)
					response, err := http.DefaultClient.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					defer response.Body.Close()
					body, _ := io.ReadAll(response.Body)
					return response.StatusCode, response.Header.Get("X-Caller"), string(body)
				}
				caller := "127.0.0.1"
				if believed {
					caller = "198.51.100.1"
				}
				peer := "127.0.0.1"
				if local != nil {
					peer = caller
				}
				status, policies, got := get("203.0.113.5, 198.51.100.1, 10.0.0.1")
				if status != http.StatusOK || policies != caller || got != "203.0.113.5, 198.51.100.1, 10.0.0.1, 127.0.0.1|"+peer {
					t.Errorf("got %d, the address %s for policies and for the backend %s", status, policies, got)
				}
				want := map[bool][]int{false: {200, 429, 429}, true: {403, 200, 200}}[believed]
				for i, forwarded := range []string{"198.51.100.66", "198.51.100.2", "198.51.100.3"} {
					if status, _, _ := get(forwarded); status != want[i] {
						t.Errorf("a client that is said to be %s gets %d, want %d", forwarded, status, want[i])
					}
				}
			})
		}
	}
}
