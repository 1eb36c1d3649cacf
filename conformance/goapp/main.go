// Goapp is an app server whose hubs exercise everything that a SignalR client or app server can do. It has the hubs and
// HTTP endpoints of the .NET app server of the conformance tests, so the same clients run against either.
//
//	Azure__SignalR__ConnectionString   the service; required
//	--urls http://127.0.0.1:5080       where it listens
//	--connections 2                    server connections it opens per hub
//	--shutdown off|wait|migrate        what happens to its clients when it is told to end (SIGTERM)
//	--application NAME                 prefix of its hub names at the service
//	--verbose                          logs what happens to the connections
//
// It prints one line of JSON when it is ready. What its hubs saw is at GET /log.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hubgate/hubgate/appserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "goapp:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("goapp", flag.ContinueOnError)
	flags.SetOutput(stderr)
	urls := flags.String("urls", "http://127.0.0.1:5080", "`URL` to listen on")
	connections := flags.Int("connections", 2, "server connections per hub")
	shutdown := flags.String("shutdown", "off", "off, wait or migrate")
	application := flags.String("application", "", "prefix of the hub names at the service")
	verbose := flags.Bool("verbose", false, "log what happens to the connections")
	if err := flags.Parse(args); err != nil {
		return err
	}
	options := appserver.Options{ServerConnections: *connections, ApplicationName: *application, ShutdownTimeout: 20 * time.Second}
	switch *shutdown {
	case "off":
	case "wait":
		options.ShutdownMode = appserver.ShutdownWaitForClients
	case "migrate":
		options.ShutdownMode = appserver.ShutdownMigrateClients
	default:
		return fmt.Errorf("--shutdown is off, wait or migrate, not %q", *shutdown)
	}
	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelDebug
	}
	options.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	app, err := appserver.New(os.Getenv("Azure__SignalR__ConnectionString"), options)
	if err != nil {
		return err
	}
	handler, err := newHandler(app)
	if err != nil {
		return err
	}
	address, err := url.Parse(*urls)
	if err != nil || address.Scheme != "http" || address.Host == "" {
		return fmt.Errorf("--urls should look like http://127.0.0.1:5080, not %q", *urls)
	}
	listener, err := net.Listen("tcp", address.Host)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return serve(ctx, app, server, listener, stdout)
}

// serve runs the app and its HTTP server, and tells when both are ready.
func serve(ctx context.Context, app *appserver.App, server *http.Server, listener net.Listener, stdout io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(listener)
		cancel()
	}()
	go func() {
		if app.WaitConnected(ctx) == nil {
			line, _ := json.Marshal(readyLine{Ready: true, URL: "http://" + listener.Addr().String(), Mode: "service", PID: os.Getpid()})
			fmt.Fprintf(stdout, "%s\n", line)
		}
	}()
	err := app.Run(ctx)
	_ = server.Close()
	if failure := <-served; err == nil && !errors.Is(failure, http.ErrServerClosed) {
		err = failure
	}
	return err
}

// readyLine is what is printed when clients may come.
type readyLine struct {
	Ready bool   `json:"ready"`
	URL   string `json:"url"`
	Mode  string `json:"mode"`
	PID   int    `json:"pid"`
}

// queryUser signs a request in as ?user=NAME, with ?role=ROLE and ?claim=TYPE:VALUE as often as given.
func queryUser(r *http.Request) (*appserver.User, error) {
	query := r.URL.Query()
	name := query.Get("user")
	if name == "" {
		return nil, nil
	}
	claims := []appserver.Claim{{Type: appserver.ClaimNameIdentifier, Value: name}, {Type: appserver.ClaimName, Value: name}}
	for _, role := range query["role"] {
		claims = append(claims, appserver.Claim{Type: appserver.ClaimRole, Value: role})
	}
	for _, claim := range query["claim"] {
		claimType, value, ok := strings.Cut(claim, ":")
		if !ok {
			value = claimType
		}
		claims = append(claims, appserver.Claim{Type: claimType, Value: value})
	}
	return &appserver.User{ID: name, Claims: claims, AuthenticationType: "QueryUser"}, nil
}

// signedIn is queryUser for hubs that refuse anonymous clients.
func signedIn(r *http.Request) (*appserver.User, error) {
	user, err := queryUser(r)
	if err == nil && user == nil {
		err = appserver.ErrUnauthorized
	}
	return user, err
}

// newHandler adds the hubs to the app and makes the handler for their negotiate requests and the endpoints that send from
// outside of a hub.
func newHandler(app *appserver.App) (http.Handler, error) {
	log := &log{}
	mux := http.NewServeMux()
	options := appserver.HubOptions{Authenticate: queryUser, ParallelInvocations: 8, MaxMessageBytes: 1 << 20}
	stateful, secured := options, options
	stateful.StatefulReconnect = true
	secured.Authenticate = signedIn
	var conformance *appserver.Hub
	for _, h := range []struct {
		path, name string
		hub        any
		options    appserver.HubOptions
		into       **appserver.Hub
	}{
		{"/chat", "ChatHub", chatHub{}, options, nil},
		{"/conformance", "ConformanceHub", conformanceHub{log}, stateful, &conformance},
		{"/other", "OtherHub", otherHub{}, options, nil},
		{"/secure", "SecureHub", secureHub{}, secured, nil},
	} {
		hub, err := app.Handle(h.name, h.hub, h.options)
		if err != nil {
			return nil, err
		}
		if h.into != nil {
			*h.into = hub
		}
		mux.Handle(h.path+"/negotiate", hub.Negotiator())
	}
	addEndpoints(mux, conformance, log)
	return anyOrigin(mux), nil
}

// addEndpoints adds what is sent from outside of a hub.
func addEndpoints(mux *http.ServeMux, hub *appserver.Hub, log *log) {
	clients := hub.Clients()
	send := func(to func(r *http.Request) appserver.ClientProxy) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			answer(w, to(r).Send(r.Context(), "message", r.FormValue("text")))
		}
	}
	mux.Handle("POST /send/all", send(func(*http.Request) appserver.ClientProxy { return clients.All() }))
	mux.Handle("POST /send/all-except", send(func(r *http.Request) appserver.ClientProxy { return clients.AllExcept(r.URL.Query()["id"]...) }))
	mux.Handle("POST /send/client/{id}", send(func(r *http.Request) appserver.ClientProxy { return clients.Client(r.PathValue("id")).ClientProxy }))
	mux.Handle("POST /send/group/{group}", send(func(r *http.Request) appserver.ClientProxy { return clients.Group(r.PathValue("group")) }))
	mux.Handle("POST /send/user/{user}", send(func(r *http.Request) appserver.ClientProxy { return clients.User(r.PathValue("user")) }))
	mux.HandleFunc("PUT /groups/{group}/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, hub.Groups().Add(r.Context(), r.PathValue("id"), r.PathValue("group")))
	})
	mux.HandleFunc("DELETE /groups/{group}/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, hub.Groups().Remove(r.Context(), r.PathValue("id"), r.PathValue("group")))
	})
	mux.HandleFunc("POST /ask/{id}", func(w http.ResponseWriter, r *http.Request) {
		timeout := 5 * time.Second
		if text := r.FormValue("timeoutMs"); text != "" {
			var err error
			if timeout, err = time.ParseDuration(text + "ms"); err != nil {
				http.Error(w, "timeoutMs is a number of milliseconds", http.StatusBadRequest)
				return
			}
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		var said string
		status := http.StatusOK
		if err := clients.Client(r.PathValue("id")).Invoke(ctx, &said, "ask", r.FormValue("question")); err != nil {
			status, said = http.StatusInternalServerError, describe(err)
		}
		writeJSON(w, status, said)
	})
	mux.HandleFunc("GET /log", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, log.lines()) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
}

// answer ends a request that has no result. That there is no such client is none either, as in .NET.
func answer(w http.ResponseWriter, err error) {
	if err != nil && !errors.Is(err, appserver.ErrNotFound) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// anyOrigin lets pages of any origin use everything, with credentials.
func anyOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" {
			h := w.Header()
			h.Add("Vary", "Origin")
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				h.Set("Access-Control-Allow-Methods", r.Header.Get("Access-Control-Request-Method"))
				if headers := r.Header.Get("Access-Control-Request-Headers"); headers != "" {
					h.Set("Access-Control-Allow-Headers", headers)
				}
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
