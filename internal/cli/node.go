package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hubgate/hubgate/internal/app"
	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/telemetry"
)

// nodeFlags are the flags that the commands which run a node share.
type nodeFlags struct {
	signalr, gateway, management, metrics string
	data                                  string
	json                                  bool
	logLevel, logFormat                   string
}

func (f *nodeFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.signalr, "signalr-address", config.DefaultSignalRAddress, "listen here for clients and app servers of the SignalR instances; 'off' for not at all")
	flags.StringVar(&f.gateway, "gateway-address", config.DefaultGatewayAddress, "listen here for the gateways of the API Management services")
	flags.StringVar(&f.management, "management-address", config.DefaultManagementAddress, "listen here for the management plane and the portal")
	flags.StringVar(&f.metrics, "metrics-address", config.DefaultMetricsAddress, "listen here for metrics and health")
	flags.BoolVar(&f.json, "json", false, "when ready, print one line of JSON for scripts")
	flags.StringVar(&f.logLevel, "log-level", "", "log from this level on: debug, info, warn or error")
	flags.StringVar(&f.logFormat, "log-format", "", "log as text or json")
}

// apply puts the flags that were given over what the configuration says.
func (f *nodeFlags) apply(c *cobra.Command, cfg *config.Config) {
	for name, target := range map[string]*string{
		"signalr-address":    &cfg.Listeners.SignalR,
		"gateway-address":    &cfg.Listeners.Gateway,
		"management-address": &cfg.Listeners.Management,
		"metrics-address":    &cfg.Listeners.Metrics,
		"data":               &cfg.DataDirectory,
		"log-level":          &cfg.Log.Level,
		"log-format":         &cfg.Log.Format,
	} {
		if flag := c.Flags().Lookup(name); flag != nil && flag.Changed {
			*target = flag.Value.String()
		}
	}
}

// options are those of a node with this configuration.
func options(cfg *config.Config, logger *slog.Logger) app.Options {
	address := func(text string) string {
		if config.Off(text) {
			return ""
		}
		return text
	}
	return app.Options{
		SignalRAddress:    address(cfg.Listeners.SignalR),
		GatewayAddress:    address(cfg.Listeners.Gateway),
		ManagementAddress: address(cfg.Listeners.Management),
		MetricsAddress:    address(cfg.Listeners.Metrics),
		DataDir:           cfg.DataDirectory,
		NATSURL:           cfg.NATS.URL.Reveal(),
		Config:            cfg,
		Logger:            logger,
	}
}

// runUntilSignal runs a node until SIGTERM or SIGINT, or until ctx ends. The first signal lets it end gracefully; a second one
// ends the process as if nobody cared about signals. The node also ends when announce fails: a script that
// waits for the addresses would wait for ever.
func runUntilSignal(ctx context.Context, runNode runner, o app.Options, announce func(app.Addresses) error) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var announced error
	err := runNode(ctx, o, func(a app.Addresses) {
		if announced = announce(a); announced != nil {
			cancel()
		}
	})
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(announced, err)
}

func newLogger(stderr io.Writer, l config.Log) (*slog.Logger, error) {
	return telemetry.NewLogger(stderr, telemetry.LogOptions{Level: l.Level, Format: l.Format})
}

// readyLine is the line that --json prints. Scripts read it: fields may be added, never changed.
type readyLine struct {
	ChatRoom         string `json:"chatroom,omitempty"` // only with demo
	Gateway          string `json:"gateway"`
	SignalR          string `json:"signalr"`
	Management       string `json:"management"`
	Portal           string `json:"portal"`
	Metrics          string `json:"metrics"`
	CAFile           string `json:"caFile"`
	ConnectionString string `json:"connectionString"`
	AdminToken       string `json:"adminToken"`
	Ready            bool   `json:"ready"`
}

// printJSON prints the one line of --json.
func printJSON(w io.Writer, a app.Addresses) error {
	line := readyLine{
		ChatRoom:         a.ChatRoom,
		Gateway:          a.Gateway,
		SignalR:          a.SignalR,
		Management:       a.Management,
		Portal:           a.Portal,
		Metrics:          a.Metrics,
		CAFile:           a.CAFile,
		ConnectionString: a.ConnectionString,
		AdminToken:       a.AdminToken,
		Ready:            true,
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // keys and URLs stay as they are to be copied
	return encoder.Encode(line)
}

// writeAddresses writes the parts that run, for people.
func writeAddresses(w *strings.Builder, a app.Addresses) {
	for _, line := range []struct{ name, value string }{
		{"chat room", a.ChatRoom},
		{"gateway", a.Gateway},
		{"SignalR", a.SignalR},
		{"portal", a.Portal},
		{"management", a.Management},
		{"  its CA file", a.CAFile},
		{"  its token", a.AdminToken},
		{"metrics", a.Metrics},
	} {
		if line.value != "" {
			fmt.Fprintf(w, "%-14s %s\n", line.name, line.value)
		}
	}
	if a.ConnectionString != "" {
		fmt.Fprintf(w, "\nConnection string for an app server:\n  %s\n", a.ConnectionString)
	}
}
