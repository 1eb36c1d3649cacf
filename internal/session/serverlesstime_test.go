package session

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/transport"
	"github.com/hubgate/hubgate/internal/upstream"
)

// uncounted is an observer that counts nothing.
type uncounted struct{}

func (uncounted) ClientOpened(transport.Kind)           {}
func (uncounted) ClientClosed(transport.Kind, Category) {}
func (uncounted) Inbound(int)                           {}
func (uncounted) Outbound(int, int)                     {}

// recorded is a connection that notes when what is sent.
type recorded struct {
	start time.Time
	pings []int // seconds since the start
	ended int   // second of the end; 0: not yet
}

func (r *recorded) Push(m *message.Message, _ *message.Batch) {
	if bytes.Equal(m.Payload(), pingJSON.Payload()) {
		r.pings = append(r.pings, r.now())
	}
}
func (r *recorded) now() int             { return int(time.Since(r.start) / time.Second) }
func (r *recorded) End(*message.Batch)   { r.ended = r.now() }
func (r *recorded) Abort(error)          { r.ended = r.now() }
func (r *recorded) Kind() transport.Kind { return transport.WebSockets }

// serverlessClient is a serverless client that has shaken hands.
func serverlessClient(t *testing.T, s *Service) (*Session, *recorded) {
	t.Helper()
	conn := &recorded{start: time.Now()}
	c := s.newSession("chat", &auth.Token{})
	s.add(c)
	c.kind, c.conn, c.phase = transport.WebSockets, conn, connected
	c.client.UserID, c.client.HasUser = "ann", true
	c.greeting = &greeting{open: &svcproto.OpenConnection{ConnectionID: c.client.ID}}
	if err := c.Receive([]byte(`{"protocol":"json","version":1}` + "\x1e")); err != nil {
		t.Fatal(err)
	}
	return c, conn
}

// TestKeepAliveAndClientTimeout is row 54 of the feature table: serverless clients are pinged and given up at the times that the instance says.
func TestKeepAliveAndClientTimeout(t *testing.T) {
	t.Parallel()
	second := time.Second
	for _, c := range []struct {
		name                     string
		keepAlive, clientTimeout time.Duration
		speaksUntil              int // second up to which the client sends a ping each second
		pings                    []int
		ended                    int
	}{
		{"by default", 0, 0, 0, []int{15}, 30},
		{"the least", second, second, 0, []int{}, 1},
		{"the most", 120 * second, 120 * second, 0, []int{}, 120},
		{"a client that goes on to speak", 60 * second, 2 * second, 70, []int{60}, 72},
		{"many pings", 4 * second, 10 * second, 5, []int{4, 8, 12}, 15},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{Registry: hub.NewRegistry("node"), Logger: slog.New(slog.DiscardHandler), Observer: uncounted{}})
				defer s.Shutdown()
				s.Configure(Settings{Mode: resource.ModeServerless, KeepAlive: c.keepAlive, ClientTimeout: c.clientTimeout})
				client, conn := serverlessClient(t, s)
				for i := 1; i <= 200 && conn.ended == 0; i++ {
					time.Sleep(time.Second)
					if i <= c.speaksUntil {
						if err := client.Receive(hubproto.JSON.AppendPing(nil)); err != nil {
							t.Fatal(err)
						}
					}
					s.Tick(time.Now())
				}
				if diff := cmp.Diff(c.pings, append([]int{}, conn.pings...)); diff != "" {
					t.Errorf("pings (-want +got):\n%s", diff)
				}
				if conn.ended != c.ended {
					t.Errorf("ended after %d s, want %d", conn.ended, c.ended)
				}
			})
		})
	}
}

// TestTimesChangeForClientsThatAreThere is row 54 for settings that change at run time.
func TestTimesChangeForClientsThatAreThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Registry: hub.NewRegistry("node"), Logger: slog.New(slog.DiscardHandler), Observer: uncounted{}})
		defer s.Shutdown()
		settings := Settings{Mode: resource.ModeServerless, KeepAlive: 120 * time.Second, ClientTimeout: 120 * time.Second}
		s.Configure(settings)
		_, conn := serverlessClient(t, s)
		tick := func(seconds int) {
			for range seconds {
				time.Sleep(time.Second)
				s.Tick(time.Now())
			}
		}
		tick(5)
		settings.KeepAlive, settings.ClientTimeout = 2*time.Second, 12*time.Second
		s.Configure(settings)
		tick(10)
		if diff := cmp.Diff([]int{7, 9, 11}, conn.pings); diff != "" || conn.ended != 12 {
			t.Errorf("ended after %d s, want 12; pings (-want +got):\n%s", conn.ended, diff)
		}
	})
}

// answers is a transport of endpoints that take everything, and shows what they get.
type answers chan string

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a <- r.URL.Host + " " + string(body)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
}

// TestClientEventsOfServerlessClients is row 55 of the feature table: a serverless client's coming and going reach the web hook of the instance, with
// its hub, connection, user and the reason for its end.
func TestClientEventsOfServerlessClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got := make(answers, 16)
		d := upstream.New(upstream.Options{Transport: got})
		if err := d.Configure(&resource.SignalR{ID: resource.NewID(resource.SignalRService, "signalR", "asrs1"), Events: resource.ClientEvents{URL: "http://hook/"}}); err != nil {
			t.Fatal(err)
		}
		s := New(Options{Registry: hub.NewRegistry("node"), Logger: slog.New(slog.DiscardHandler), Observer: uncounted{}, Upstream: d})
		s.Configure(Settings{Mode: resource.ModeServerless})
		client, _ := serverlessClient(t, s)
		refused := s.newSession("chat", &auth.Token{}) // one that never gets through its handshake is no client
		s.add(refused)
		refused.kind, refused.conn, refused.phase, refused.greeting = transport.WebSockets, &recorded{}, connected, &greeting{open: &svcproto.OpenConnection{}}
		_ = refused.Receive([]byte(`{"protocol":"smoke","version":1}` + "\x1e"))
		for range 30 {
			time.Sleep(time.Second)
			s.Tick(time.Now())
		}
		s.Shutdown()
		d.Close()
		close(got)
		type told struct {
			Type string
			Data struct {
				HubName, ConnectionID, UserID string
				ErrorMessage                  *string
			}
		}
		var all []told
		for text := range got {
			host, body, _ := strings.Cut(text, " ")
			var e told
			if err := json.Unmarshal([]byte(body), &e); err != nil || host != "hook" {
				t.Errorf("%s: %v", text, err)
			}
			all = append(all, e)
		}
		if len(all) != 2 {
			t.Fatalf("%d events: %+v", len(all), all)
		}
		for i, want := range []string{"Connected", "Disconnected"} {
			e := all[i]
			if e.Type != "Microsoft.SignalRService.ClientConnection"+want || e.Data.HubName != "chat" || e.Data.ConnectionID != client.client.ID || e.Data.UserID != "ann" {
				t.Errorf("event %d: %+v", i, e)
			}
			if reason := e.Data.ErrorMessage; (reason != nil && strings.Contains(*reason, "silent")) != (i == 1) {
				t.Errorf("event %d has the reason %v", i, reason)
			}
		}
	})
}
