package appserver_test

import (
	"context"
	"iter"
	"log"
	"net/http"
	"time"

	"github.com/hubgate/hubgate/appserver"
)

// Chat is a hub.
type Chat struct{}

// OnConnected greets a client.
func (*Chat) OnConnected(c *appserver.Context) error {
	return c.Clients().Caller().Send(c, "welcome", c.ConnectionID())
}

// OnDisconnected tells the others.
func (*Chat) OnDisconnected(c *appserver.Context, err error) {
	if err := c.Clients().Others().Send(c, "left", c.UserID()); err != nil {
		log.Print(err)
	}
}

// Say sends a message to a group; JavaScript calls connection.invoke("say", "lobby", "hello").
func (*Chat) Say(c *appserver.Context, group, text string) error {
	if text == "" {
		return appserver.HubErrorf("say something")
	}
	return c.Clients().Group(group).Send(c, "said", c.UserID(), text)
}

// Join puts the caller into a group.
func (*Chat) Join(c *appserver.Context, group string) error {
	return c.Groups().Add(c, c.ConnectionID(), group)
}

func Example() {
	app, err := appserver.New("Endpoint=http://localhost;Port=8888;AccessKey=KEY;Version=1.0;", appserver.Options{})
	if err != nil {
		log.Fatal(err)
	}
	chat, err := app.Handle("chat", &Chat{}, appserver.HubOptions{})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/chat/negotiate", chat.Negotiator())
	go func() { log.Fatal(http.ListenAndServe("localhost:5000", nil)) }()
	log.Fatal(app.Run(context.Background()))
}

// A hub can be used from outside of its methods, too.
func ExampleHub() {
	var news *appserver.Hub // what App.Handle returned
	http.HandleFunc("POST /news", func(w http.ResponseWriter, r *http.Request) {
		if err := news.Clients().All().Send(r.Context(), "news", r.FormValue("text")); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
}

// The user of a client is decided when it negotiates.
func ExampleHubOptions_authenticate() {
	options := appserver.HubOptions{
		Authenticate: func(r *http.Request) (*appserver.User, error) {
			name, _, ok := r.BasicAuth() // A real one checks the password.
			if !ok {
				return nil, appserver.ErrUnauthorized
			}
			return &appserver.User{ID: name, Claims: []appserver.Claim{{Type: appserver.ClaimRole, Value: "reader"}}}, nil
		},
	}
	_ = options
}

// Poll is a hub that asks clients.
type Poll struct{}

// Vote asks one client and waits for its answer.
func (*Poll) Vote(c *appserver.Context, connectionID, question string) (bool, error) {
	ctx, cancel := context.WithTimeout(c, 10*time.Second)
	defer cancel()
	var yes bool
	err := c.Clients().Client(connectionID).Invoke(ctx, &yes, "vote", question)
	return yes, err
}

func ExampleSingleClientProxy_Invoke() {
	app, err := appserver.New("Endpoint=http://localhost;Port=8888;AccessKey=KEY;Version=1.0;", appserver.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := app.Handle("poll", &Poll{}, appserver.HubOptions{}); err != nil {
		log.Fatal(err)
	}
}

// Stocks is a hub with streams.
type Stocks struct{}

// Prices is a stream to the client: connection.stream("prices", "ABC").
func (*Stocks) Prices(c *appserver.Context, symbol string) iter.Seq2[float64, error] {
	return func(yield func(float64, error) bool) {
		for price := 100.0; ; price++ {
			select {
			case <-time.After(time.Second):
			case <-c.Done(): // The client cancelled the stream or went.
				return
			}
			if !yield(price, nil) {
				return
			}
		}
	}
}

// Average takes a stream from the client.
func (*Stocks) Average(prices iter.Seq2[float64, error]) (float64, error) {
	sum, count := 0.0, 0
	for price, err := range prices {
		if err != nil {
			return 0, err
		}
		sum += price
		count++
	}
	return sum / float64(max(count, 1)), nil
}

func ExampleApp_Handle_streams() {
	app, err := appserver.New("Endpoint=http://localhost;Port=8888;AccessKey=KEY;Version=1.0;", appserver.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := app.Handle("stocks", &Stocks{}, appserver.HubOptions{}); err != nil {
		log.Fatal(err)
	}
}
