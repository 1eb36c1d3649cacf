// Chatroom is a chat room on Azure SignalR Service or Hubgate.
//
// It takes the connection string of the service from the flag --connection-string, else from the environment variable
// Azure__SignalR__ConnectionString, else from a user-secrets file (key Azure:SignalR:ConnectionString).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hubgate/hubgate/appserver"
	"github.com/hubgate/hubgate/examples/chatroom/room"
)

// secretsID names the folder of the chat room below ~/.microsoft/usersecrets.
const secretsID = "chatroom"

// connectionStringVariable is the environment variable that .NET apps read, too.
const connectionStringVariable = "Azure__SignalR__ConnectionString"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "chatroom:", err)
		os.Exit(1)
	}
}

// run serves the chat room until ctx is done.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("chatroom", flag.ContinueOnError)
	flags.SetOutput(stderr)
	address := flags.String("listen", "127.0.0.1:5000", "`address` of the page")
	connectionString := flags.String("connection-string", "", "connection string of the SignalR service")
	secrets := flags.String("secrets", "", "user-secrets `file` (default ~/.microsoft/usersecrets/"+secretsID+"/secrets.json)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text, err := findConnectionString(*connectionString, *secrets)
	if err != nil {
		return err
	}
	app, err := appserver.New(text, appserver.Options{Logger: slog.New(slog.NewTextHandler(stderr, nil))})
	if err != nil {
		return err
	}
	handler, err := room.New(app)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintf(stdout, "chat room at http://%s\n", listener.Addr())

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(listener)
		cancel() // Without a page the app server is of no use.
	}()
	err = app.Run(ctx)
	_ = server.Close()
	if failure := <-served; err == nil && !errors.Is(failure, http.ErrServerClosed) {
		err = failure
	}
	return err
}

// findConnectionString looks where the documentation of this program says.
func findConnectionString(given, secretsPath string) (string, error) {
	if given != "" {
		return given, nil
	}
	if text := os.Getenv(connectionStringVariable); text != "" {
		return text, nil
	}
	asked := secretsPath != ""
	if !asked {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		secretsPath = filepath.Join(home, ".microsoft", "usersecrets", secretsID, "secrets.json")
	}
	text, err := readSecret(secretsPath)
	if err == nil || asked || !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	return "", fmt.Errorf("no connection string: give --connection-string, set %s, or write it to %s as {\"%s\": \"Endpoint=…\"}", connectionStringVariable, secretsPath, secretKey)
}

// secretKey is the path of the connection string in a user-secrets file, which may be flat or nested.
const secretKey = "Azure:SignalR:ConnectionString"

// readSecret reads the connection string from a user-secrets file: {"Azure:SignalR:ConnectionString": "…"}, or the same as
// nested objects.
func readSecret(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	// .NET writes these files with a byte order mark at times.
	if len(content) >= 3 && string(content[:3]) == "\ufeff" {
		content = content[3:]
	}
	var secrets struct {
		Flat  string `json:"Azure:SignalR:ConnectionString"`
		Azure struct {
			SignalR struct {
				ConnectionString string
			}
		}
	}
	if err := json.Unmarshal(content, &secrets, json.MatchCaseInsensitiveNames(true)); err != nil {
		return "", fmt.Errorf("user-secrets file %s: %w", path, err)
	}
	if secrets.Flat != "" {
		return secrets.Flat, nil
	}
	if nested := secrets.Azure.SignalR.ConnectionString; nested != "" {
		return nested, nil
	}
	return "", fmt.Errorf("user-secrets file %s has no %s", path, secretKey)
}
