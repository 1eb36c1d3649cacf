package upstream

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/resource"
)

// delivery is a request of the web hook.
type delivery struct {
	url, contentType, authorization, kind string
	body                                  string
}

// hooked is a dispatcher whose deliveries are recorded and answered with the statuses, the last of which stays. It must be called in a bubble.
func hooked(t *testing.T, events resource.ClientEvents, statuses ...int) (*Dispatcher, *[]delivery) {
	t.Helper()
	var made []delivery
	d := New(Options{Transport: answering(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		made = append(made, delivery{r.URL.String(), r.Header.Get("Content-Type"), r.Header.Get("Authorization"), rawHeader(r.Header, "aeg-event-type"), string(body)})
		time.Sleep(10 * time.Millisecond)
		return status(statuses[min(len(made), len(statuses))-1]), nil
	})})
	r := instance()
	r.Events = events
	if err := d.Configure(r); err != nil {
		t.Fatal(err)
	}
	return d, &made
}

// rawHeader is a header by a name that is not in the canonical form.
func rawHeader(h http.Header, name string) string { return strings.Join(h[name], ", ") }

// TestClientEvents is row 55 of the feature table: clients that come and go are told of as CloudEvents 1.0, with Event Grid's types, subject and data.
func TestClientEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, made := hooked(t, resource.ClientEvents{
			URL: "https://hook.example/?code=1", Auth: resource.UpstreamAuth{Type: resource.UpstreamAuthManagedIdentity, Identity: resource.UpstreamIdentity{Token: "t"}},
		}, 200)
		d.ClientConnected(Client{Hub: "chat", ConnectionID: "c1", UserID: "ann", HasUser: true})
		d.ClientDisconnected(Client{Hub: "chat", ConnectionID: "c1", UserID: "ann", HasUser: true}, "")
		d.ClientDisconnected(Client{Hub: "chat", ConnectionID: "c2"}, `it "ended"`)
		d.Close()
		ids := make(map[string]bool)
		var bodies []string
		for _, m := range *made {
			if m.url != "https://hook.example/?code=1" || m.contentType != "application/cloudevents+json; charset=utf-8" || m.authorization != "Bearer t" || m.kind != "Notification" {
				t.Errorf("delivered as %+v", m)
			}
			id := regexp.MustCompile(`"id":"([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})",`).FindStringSubmatch(m.body)
			if id == nil || ids[id[1]] {
				t.Fatalf("no id of its own: %s", m.body)
			}
			ids[id[1]] = true
			bodies = append(bodies, strings.Replace(m.body, id[0], "", 1))
		}
		const (
			begin = `{"specversion":"1.0","source":"/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/hubgate/providers/Microsoft.SignalRService/signalR/asrs1","type":"Microsoft.SignalRService.`
			then  = `","subject":"/hub/chat","time":"2000-01-01T00:00:00Z","datacontenttype":"application/json","data":{"timestamp":"2000-01-01T00:00:00Z","hubName":"chat",`
		)
		want := []string{
			begin + "ClientConnectionConnected" + then + `"connectionId":"c1","userId":"ann"}}`,
			begin + "ClientConnectionDisconnected" + then + `"connectionId":"c1","userId":"ann","errorMessage":null}}`,
			begin + "ClientConnectionDisconnected" + then + `"connectionId":"c2","userId":null,"errorMessage":"it \"ended\""}}`,
		}
		if diff := cmp.Diff(want, bodies); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestClientEventsInBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, made := hooked(t, resource.ClientEvents{URL: "https://hook.example/", MaxEventsPerBatch: 4}, 204)
		defer d.Close()
		for range 11 {
			d.ClientConnected(Client{Hub: "chat"})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		total := 0
		for _, m := range *made {
			var events []cloudEvent
			if err := json.Unmarshal([]byte(m.body), &events); err != nil || len(events) > 4 || m.contentType != "application/cloudevents-batch+json; charset=utf-8" {
				t.Errorf("%s with %d events: %v", m.contentType, len(events), err)
			}
			total += len(events)
		}
		if total != 11 || len(*made) > 5 {
			t.Errorf("%d events in %d requests", total, len(*made))
		}
	})
}

func TestClientEventsAreSentAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		statuses []int
		attempts int
		want     int // requests for two events
	}{
		{"until they are taken", []int{503, 404, 200}, 0, 4},
		{"as often as allowed", []int{500}, 3, 6},
		{"ten times by default", []int{500}, 0, 20},
		{"not what is refused for good", []int{400, 413}, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, made := hooked(t, resource.ClientEvents{URL: "https://hook.example/", MaxDeliveryAttempts: c.attempts}, c.statuses...)
				defer d.Close()
				d.ClientConnected(Client{})
				d.ClientDisconnected(Client{}, "")
				time.Sleep(time.Hour)
				synctest.Wait()
				if len(*made) != c.want {
					t.Errorf("%d requests, want %d", len(*made), c.want)
				}
			})
		})
	}
}

// TestClientEventsHaveBounds: no web hook makes the node fill up or hang, and without one there is nothing to do.
func TestClientEventsHaveBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, made := hooked(t, resource.ClientEvents{URL: "https://hook.example/"}, 500)
		for range maxWaitingEvents + 100 {
			d.ClientConnected(Client{})
		}
		synctest.Wait()
		d.events.mu.Lock()
		waiting, dropped := len(d.events.queue), d.events.dropped
		d.events.mu.Unlock()
		if waiting > maxWaitingEvents || dropped < 99 {
			t.Errorf("%d events wait, %d were dropped", waiting, dropped)
		}
		if err := d.Configure(instance()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		n := len(*made)
		d.ClientConnected(Client{})
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(*made) != n || n > defaultDeliveries {
			t.Errorf("%d requests, then %d", n, len(*made))
		}
		d.Close()

		d, made = hooked(t, resource.ClientEvents{URL: "https://hook.example/"}, 500)
		d.ClientConnected(Client{})
		start := time.Now()
		d.Close()
		if waited := time.Since(start); waited != closeTimeout || len(*made) == 0 {
			t.Errorf("the end took %v, with %d requests", waited, len(*made))
		}
	})
}
