package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.LeakCheck(m)) }

func instance(templates ...resource.UpstreamTemplate) *resource.SignalR {
	return &resource.SignalR{ID: resource.NewID(resource.SignalRService, "signalR", "asrs1"), PrimaryKey: "first", SecondaryKey: "second", Upstream: templates}
}

func configured(t *testing.T, o Options, templates ...resource.UpstreamTemplate) *Dispatcher {
	t.Helper()
	d := New(o)
	t.Cleanup(d.Close)
	if err := d.Configure(instance(templates...)); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFirstTemplateThatMatches(t *testing.T) {
	t.Parallel()
	d := configured(t, Options{},
		resource.UpstreamTemplate{HubPattern: "chat", CategoryPattern: "connections", EventPattern: "connected", URLTemplate: "http://1/"},
		resource.UpstreamTemplate{HubPattern: "chat, Board", CategoryPattern: "Messages", URLTemplate: "http://2/{hub}/{category}/{event}?code=a%20b&e={event}"},
		resource.UpstreamTemplate{HubPattern: "*", EventPattern: "a,b", URLTemplate: "https://3:99/{event}{hub}"},
	)
	for _, c := range []struct{ hub, category, event, want string }{
		{"chat", "connections", "connected", "http://1/"},
		{"CHAT", "connections", "Connected", "http://1/"},
		{"chat", "connections", "disconnected", ""},
		{"chat", "messages", "connected", "http://2/chat/messages/connected?code=a%20b&e=connected"},
		{"board", "messages", "a/../b ?#&=é", "http://2/board/messages/a%2F..%2Fb%20%3F%23%26%3D%C3%A9?code=a%20b&e=a%2F..%2Fb%20%3F%23%26%3D%C3%A9"},
		{"other", "messages", "b", "https://3:99/bother"},
		{"other", "messages", "ab", ""},
	} {
		e := &Event{Hub: c.hub, Category: c.category, Name: c.event}
		m := d.settings.Load().match(e)
		if m == nil {
			if c.want != "" {
				t.Errorf("%+v: no template", c)
			}
			continue
		}
		got, err := m.url(e)
		if err != nil || got != c.want {
			t.Errorf("%+v: %q %v", c, got, err)
		}
	}
	dots := &Event{Hub: "chat", Category: CategoryMessages, Name: ".."}
	if _, err := d.settings.Load().match(dots).url(dots); err == nil {
		t.Error("an event named .. reached out of its place")
	}
}

func TestBadTemplates(t *testing.T) {
	t.Parallel()
	d := configured(t, Options{}, resource.UpstreamTemplate{URLTemplate: "http://good/"})
	for _, c := range []struct {
		template resource.UpstreamTemplate
		want     string
	}{
		{resource.UpstreamTemplate{URLTemplate: "ftp://x"}, "urlTemplate: must be an absolute http or https URL"},
		{resource.UpstreamTemplate{URLTemplate: "/x"}, "urlTemplate: must be an absolute http or https URL"},
		{resource.UpstreamTemplate{URLTemplate: "http://x/{hub"}, "urlTemplate: a { has no }"},
		{resource.UpstreamTemplate{URLTemplate: "http://x/{user}"}, "urlTemplate: there is no parameter {user}; use {hub}, {category} or {event}"},
		{resource.UpstreamTemplate{URLTemplate: "http://{event}.x/"}, "urlTemplate: {event} must not be part of the host: clients choose it"},
		{resource.UpstreamTemplate{URLTemplate: "http://{event}@x/"}, "urlTemplate: {event} must not be part of the host: clients choose it"},
		{resource.UpstreamTemplate{URLTemplate: "http://x/#f"}, "urlTemplate: must not have a fragment"},
		{resource.UpstreamTemplate{URLTemplate: "http://x/?code={@Microsoft.KeyVault(SecretUri=https://v)}"}, "urlTemplate: a Key Vault reference cannot be resolved here; put the secret into a file or an environment variable and refer to it as {@file(/run/secrets/NAME)} or {@env(NAME)}"},
		{resource.UpstreamTemplate{HubPattern: "a,,b", URLTemplate: "http://x"}, `hubPattern: the list "a,,b" has an empty name`},
		{resource.UpstreamTemplate{EventPattern: "a,*", URLTemplate: "http://x"}, `eventPattern: the list "a,*" holds *, which stands alone or not at all`},
		{resource.UpstreamTemplate{CategoryPattern: "message", URLTemplate: "http://x"}, `categoryPattern: there is no category "message"; use connections, messages or *`},
	} {
		err := d.Configure(instance(resource.UpstreamTemplate{URLTemplate: "http://y/"}, c.template))
		if err == nil || !strings.Contains(err.Error(), c.want) || resource.KindOf(err) != resource.Invalid {
			t.Errorf("%+v: %v, want %s", c.template, err, c.want)
		}
	}
	e := &Event{}
	if target, err := d.settings.Load().match(e).url(e); len(d.settings.Load().templates) != 1 || err != nil || target != "http://good/" {
		t.Errorf("a bad configuration replaced the good one: %q %v", target, err)
	}
}

// answering is a transport that answers as its function says.
type answering func(*http.Request) (*http.Response, error)

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func status(code int) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("body"))}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection lost")
	for _, c := range []struct {
		name     string
		attempts int
		answers  []any // a status or an error
		sent     int
		want     any
	}{
		{"once is the default", 0, []any{503}, 1, 503},
		{"until it is taken", 5, []any{503, 429, lost, 204}, 4, 204},
		{"as often as allowed", 3, []any{503, 502, 504, 200}, 3, 504},
		{"not what the endpoint decided", 3, []any{500}, 1, 500},
		{"not a redirect", 3, []any{301}, 1, 301},
		{"lost to the end", 2, []any{lost, lost}, 2, lost},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var sent int
				var bodies []string
				d := configured(t, Options{
					Policy: Policy{Attempts: c.attempts},
					Transport: answering(func(r *http.Request) (*http.Response, error) {
						body, err := io.ReadAll(r.Body)
						if err != nil {
							return nil, err
						}
						bodies = append(bodies, string(body))
						a := c.answers[sent]
						sent++
						if err, ok := a.(error); ok {
							return nil, err
						}
						return status(a.(int)), nil
					}),
				}, resource.UpstreamTemplate{URLTemplate: "http://x/"})
				start := time.Now()
				r, err := d.Dispatch(t.Context(), &Event{Body: []byte("event")})
				if want, ok := c.want.(error); ok {
					if !errors.Is(err, want) {
						t.Errorf("error %v, want %v", err, want)
					}
				} else if err != nil || r.Status != c.want || string(r.Body) != "body" {
					t.Errorf("%+v %v, want %v", r, err, c.want)
				}
				if sent != c.sent {
					t.Errorf("sent %d times, want %d", sent, c.sent)
				}
				for _, body := range bodies {
					if body != "event" {
						t.Errorf("body %q", body)
					}
				}
				if waited := time.Since(start); c.sent > 1 && waited < 400*time.Millisecond*time.Duration(c.sent-1) {
					t.Errorf("waited only %v", waited)
				}
			})
		})
	}
}

func TestTimeoutAndEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := answering(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		d := configured(t, Options{Transport: hang, Policy: Policy{Concurrent: 1}}, resource.UpstreamTemplate{URLTemplate: "http://x/"})
		start := time.Now()
		if _, err := d.Dispatch(t.Context(), &Event{}); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() { _, _ = d.Dispatch(t.Context(), &Event{}) }()
		synctest.Wait()
		if _, err := d.Dispatch(ctx, &Event{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second request did not wait for its turn: %v", err)
		}
		time.Sleep(time.Minute) // lets the first one end
	})
}

func TestHeadersAreSafe(t *testing.T) {
	t.Parallel()
	var got http.Header
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer s.Close()
	d := configured(t, Options{}, resource.UpstreamTemplate{URLTemplate: s.URL})
	_, err := d.Dispatch(t.Context(), &Event{
		Hub: "chat", ConnectionID: "c1", UserID: "ä\r\nX-Evil: 1", HasUser: true, Category: CategoryMessages, Name: "m\x00\n",
		Claims: []Claim{{"a", "1\r\n2"}, {"b", ""}}, ContentType: ContentTypeJSON,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Accept-Encoding", "Content-Length", "User-Agent", "Content-Type"} {
		got.Del(name)
	}
	want := http.Header{
		"X-Asrs-Connection-Id": {"c1"}, "X-Asrs-Hub": {"chat"}, "X-Asrs-Category": {"messages"}, "X-Asrs-Event": {"m"},
		"X-Asrs-User-Id": {"ä  X-Evil: 1"}, "X-Asrs-User-Claims": {"a: 1  2, b:"},
		// Made with: printf c1 | openssl dgst -sha256 -hmac first
		"X-Asrs-Signature": {"sha256=6beacfcc87d1a9da5ddbb17541f192ad7e3062bb9dc3f2e56fdc8b4f902fc243,sha256=394f5d961848183abc674d64bfc848848c4cf090dde457d3727dc7aa07239b9b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNoTemplate(t *testing.T) {
	t.Parallel()
	d := New(Options{})
	if _, err := d.Dispatch(t.Context(), &Event{}); !errors.Is(err, ErrNoTemplate) || d.Configured() {
		t.Errorf("%v", err)
	}
}

func TestSecretsStayOutOfLogs(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := configured(t, Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))},
		resource.UpstreamTemplate{URLTemplate: "http://127.0.0.1:1/?code=secret"})
	for range 2 {
		if _, err := d.Dispatch(t.Context(), &Event{Name: "m"}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
	text := log.String()
	if strings.Contains(text, "secret") || strings.Count(text, "level=WARN") != 1 || strings.Count(text, "level=DEBUG") != 1 {
		t.Errorf("log: %s", text)
	}
}

func TestConfigurationChangesUnderLoad(t *testing.T) {
	t.Parallel()
	var count atomic.Int64
	d := configured(t, Options{Transport: answering(func(*http.Request) (*http.Response, error) { count.Add(1); return status(200), nil })},
		resource.UpstreamTemplate{URLTemplate: "http://x/"})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 500 {
			if _, err := d.Dispatch(t.Context(), &Event{}); err != nil {
				t.Error(err)
			}
		}
	}()
	for range 500 {
		if err := d.Configure(instance(resource.UpstreamTemplate{URLTemplate: "http://y/"})); err != nil {
			t.Error(err)
		}
	}
	testkit.Closed(t, done, "the requests")
	if count.Load() != 500 {
		t.Errorf("%d requests", count.Load())
	}
}

// FuzzTemplate compiles URL templates and fills them in: no event may change the host.
func FuzzTemplate(f *testing.F) {
	f.Add("http://x/{hub}/{event}", "chat", "m")
	f.Add("https://{hub}.x:9/?e={event}", "a,b", "..//@")
	f.Add("https://x/?code={@file(/run/secrets/code)}&{@env(CODE)}", "", "")
	f.Fuzz(func(t *testing.T, text, hub, event string) {
		c, err := compile(resource.UpstreamTemplate{URLTemplate: text, HubPattern: hub}, &secrets{logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return
		}
		a := &Event{Hub: "h", Category: CategoryMessages, Name: event}
		target, err := c.url(a)
		if err != nil {
			return
		}
		r, err := http.NewRequest(http.MethodPost, target, nil)
		if err != nil {
			return
		}
		plain, err := c.url(&Event{Hub: "h", Category: CategoryMessages, Name: "m"})
		if err != nil {
			t.Fatal(err)
		}
		other, err := http.NewRequest(http.MethodPost, plain, nil)
		if err != nil || other.URL.Host != r.URL.Host {
			t.Fatalf("%q with %q goes to %q, not to %q", text, event, r.URL.Host, other.URL.Host)
		}
	})
}

// TestRequestsAsTheInstanceSays is row 53 of the feature table: time-out, attempts and pauses are settings of the instance, and change with it.
func TestRequestsAsTheInstanceSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sent []time.Time
		d := New(Options{Transport: answering(func(r *http.Request) (*http.Response, error) {
			sent = append(sent, time.Now())
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		defer d.Close()
		r := instance(resource.UpstreamTemplate{URLTemplate: "http://x/"})
		r.UpstreamRequests = resource.UpstreamRequests{TimeoutSeconds: 2, MaxAttempts: 4, RetryDelayMilliseconds: 1000, MaxRetryDelayMilliseconds: 1500}
		if err := d.Configure(r); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Dispatch(t.Context(), &Event{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if len(sent) != 4 {
			t.Fatalf("sent %d times", len(sent))
		}
		for i, pause := range []time.Duration{time.Second, 1500 * time.Millisecond, 1500 * time.Millisecond} {
			if gap := sent[i+1].Sub(sent[i]) - 2*time.Second; gap < pause*4/5 || gap > pause*6/5 {
				t.Errorf("pause %d is %v, want %v and a fifth less or more", i, gap, pause)
			}
		}
		r.UpstreamRequests = resource.UpstreamRequests{}
		if err := d.Configure(r); err != nil {
			t.Fatal(err)
		}
		sent = nil
		start := time.Now()
		if _, err := d.Dispatch(t.Context(), &Event{}); err == nil || len(sent) != 1 || time.Since(start) != 30*time.Second {
			t.Errorf("by default: %d requests in %v, %v", len(sent), time.Since(start), err)
		}
	})
}
