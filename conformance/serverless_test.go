//go:build conformance

package conformance

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// serverless has no app server: the suite is the app, with a negotiate endpoint, an upstream endpoint and calls of the REST API.
var serverless = topology{"serverless", "all"}

// A serverless app chats with npm's client.
func TestServerless(t *testing.T) {
	s, key := serverlessStage(t)
	s.node(t, "serverless app", "client/serverless.test.mjs", "ACCESS_KEY="+key)
}

// serverlessStage starts an instance in Serverless mode and returns its access key.
func serverlessStage(t *testing.T) (s *stage, key string) {
	t.Helper()
	s = &stage{topology: serverless, appURL: "http://" + freeAddress(t)}
	ready := s.newService(t).run(t)
	endpoint, err := clientEndpoint(ready.ConnectionString)
	if err != nil {
		t.Fatal(err)
	}
	s.clientEndpoint = endpoint
	for field := range strings.SplitSeq(ready.ConnectionString, ";") {
		if value, ok := strings.CutPrefix(field, "AccessKey="); ok {
			key = value
		}
	}
	return s, key
}

// crowdOfUsers is how many users each get a message of their own.
const crowdOfUsers = 10_000

// A message that is sent over the REST API to each of many users arrives there, and nowhere else.
func TestServerlessCrowd(t *testing.T) {
	s, key := serverlessStage(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	sign := func(audience, user string) string { return sign(key, audience, user) }
	conns := make([]*websocket.Conn, crowdOfUsers)
	defer func() {
		for _, conn := range conns {
			if conn != nil {
				_ = conn.CloseNow()
			}
		}
	}()
	each(func(i int) {
		url := s.clientEndpoint + "/client/?hub=crowd"
		conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client, HTTPHeader: http.Header{
			"Authorization": {"Bearer " + sign(url, fmt.Sprint("user", i))},
		}})
		if err != nil {
			t.Errorf("user %d: %v", i, err)
			return
		}
		conns[i] = conn
		if err := conn.Write(ctx, websocket.MessageText, []byte(`{"protocol":"json","version":1}`+"\x1e")); err != nil {
			t.Errorf("user %d: %v", i, err)
		}
		if _, reply, err := conn.Read(ctx); err != nil || string(reply) != "{}\x1e" {
			t.Errorf("user %d: %q %v", i, reply, err)
		}
	})
	if t.Failed() {
		return
	}
	each(func(i int) {
		url := fmt.Sprintf("%s/api/hubs/crowd/users/user%d/:send?api-version=2024-12-01", s.clientEndpoint, i)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(fmt.Sprintf(`{"target":"m","arguments":[%d]}`, i)))
		if err != nil {
			t.Error(err)
			return
		}
		request.Header.Set("Authorization", "Bearer "+sign(url, ""))
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			t.Errorf("user %d: %v", i, err)
			return
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusAccepted {
			t.Errorf("user %d: %s %v", i, response.Status, err)
		}
	})
	each(func(i int) {
		want := fmt.Sprintf(`{"type":1,"target":"m","arguments":[%d]}`+"\x1e", i)
		for {
			_, got, err := conns[i].Read(ctx)
			if string(got) == `{"type":6}`+"\x1e" {
				continue
			}
			if err != nil || string(got) != want {
				t.Errorf("user %d got %q %v, want %q", i, got, err, want)
			}
			return
		}
	})
	here.add(1, 0, 0)
}

// sign makes a token as an app without any SDK does.
func sign(key, audience, user string) string {
	claims := map[string]any{"aud": audience, "exp": time.Now().Add(time.Hour).Unix()}
	if user != "" {
		claims["nameid"] = user
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err) // texts and numbers always have a form
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// each calls f for each of the crowd, some at a time.
func each(f func(i int)) {
	var group sync.WaitGroup
	const workers = 64
	for w := range workers {
		group.Go(func() {
			for i := w; i < crowdOfUsers; i += workers {
				f(i)
			}
		})
	}
	group.Wait()
}
