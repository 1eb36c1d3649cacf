package eventhub

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/gateway/policy"
)

// hub is a receiver that notes what it gets, and answers with the next status of a list, then 201.
type hub struct {
	mu       sync.Mutex
	received []string
	statuses []int
}

func (h *hub) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	status := http.StatusCreated
	if len(h.statuses) > 0 {
		status, h.statuses = h.statuses[0], h.statuses[1:]
	}
	h.received = append(h.received, r.Method+" "+r.URL.RequestURI()+" "+string(body))
	w.WriteHeader(status)
}

func newLogger(t *testing.T, h *hub) *Logger {
	t.Helper()
	c, err := ParseConnection("Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=key=", "h1")
	if err != nil {
		t.Fatal(err)
	}
	return New("l", c, &http.Client{Transport: h}, nil)
}

func TestLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hub{statuses: []int{503, 201, 401}}
		l := newLogger(t, h)
		l.Log(policy.Event{Body: []byte("a\"")})
		synctest.Wait()
		// The first attempt failed and the logger waits; what comes meanwhile goes together, apart by partition.
		l.Log(policy.Event{Body: []byte("refused")})
		l.Log(policy.Event{Body: []byte("b"), PartitionID: "3"})
		l.Log(policy.Event{Body: []byte("c"), PartitionKey: "k"})
		l.Log(policy.Event{Body: []byte("d"), PartitionKey: "k"})
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.Log(policy.Event{Body: []byte("too late")})
		want := []string{
			`POST /h1/messages?api-version=2014-01&timeout=60 [{"Body":"a\""}]`,
			`POST /h1/messages?api-version=2014-01&timeout=60 [{"Body":"a\""}]`,
			`POST /h1/messages?api-version=2014-01&timeout=60 [{"Body":"refused"}]`,
			`POST /h1/partitions/3/messages?api-version=2014-01&timeout=60 [{"Body":"b"}]`,
			`POST /h1/messages?api-version=2014-01&timeout=60 [{"Body":"c","BrokerProperties":{"PartitionKey":"k"}},{"Body":"d","BrokerProperties":{"PartitionKey":"k"}}]`,
		}
		if diff := cmp.Diff(want, h.received); diff != "" {
			t.Error(diff)
		}
		if sent, dropped := l.Counts(); sent != 4 || dropped != 2 {
			t.Errorf("%d sent, %d dropped; want 4 and 2", sent, dropped)
		}
	})
}

func TestTooMuchIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hub{statuses: []int{503, 503, 503}}
		l := newLogger(t, h)
		l.Log(policy.Event{Body: []byte("x")})
		synctest.Wait()
		for range 50 {
			l.Log(policy.Event{Body: make([]byte, 200<<10)})
		}
		if _, dropped := l.Counts(); dropped == 0 {
			t.Error("10 MB wait in memory")
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCloseEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLogger(t, &hub{statuses: []int{503, 503, 503}})
		l.Log(policy.Event{Body: []byte("x")})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := l.Close(ctx); err == nil {
			t.Error("it waits for a hub that does not answer")
		}
		time.Sleep(10 * time.Second) // until the attempts are over
	})
}

// The signature is made again here, apart, from the documented rule.
func TestToken(t *testing.T) {
	t.Parallel()
	c, err := ParseConnection("Endpoint=sb://NS.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0;EntityPath=h2", "")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	fields, err := url.ParseQuery(strings.TrimPrefix(c.token(now), "SharedAccessSignature "))
	if err != nil {
		t.Fatal(err)
	}
	if fields.Get("sr") != "https://ns.servicebus.windows.net/h2" || fields.Get("skn") != "send" || fields.Get("se") != "1700003600" {
		t.Error(fields)
	}
	mac := hmac.New(sha256.New, []byte("c2VjcmV0"))
	mac.Write([]byte("https%3A%2F%2Fns.servicebus.windows.net%2Fh2\n1700003600"))
	if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); fields.Get("sig") != want {
		t.Errorf("got %s, want %s", fields.Get("sig"), want)
	}
}

func TestParseConnectionRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "no Endpoint", "Endpoint=ftp://x/": "scheme", "Endpoint=:": "not a URL", "Endpoint=sb://x/": "SharedAccessKey", "Secret=hidden": "not known",
		"Endpoint=sb://x/;SharedAccessKeyName=a;SharedAccessKey=hidden": "name of an event hub",
	} {
		_, err := ParseConnection(text, "")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
