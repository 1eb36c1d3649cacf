package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hubgate/hubgate/internal/app"
	"github.com/hubgate/hubgate/internal/config"
)

// DefaultChatRoomAddress is where the chat room of the demo listens.
const DefaultChatRoomAddress = "127.0.0.1:5000"

func newDemoCommand(runNode runner) *cobra.Command {
	var flags nodeFlags
	var chatRoom string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run a chat room on a SignalR instance behind an API Management gateway",
		Long: "Run everything on this machine: the SignalR instance ASRS1, the API Management service APIM1 in front of it,\n" +
			"and a chat room whose browsers connect through APIM1. It needs nothing else, and its data is gone when it ends\n" +
			"unless --data says where to keep it.",
		Example: "  hubgate demo\n  hubgate demo --data ./demo-data --json",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg := config.Default()
			cfg.Log.Level = "warn" // the demo's own output is for reading
			flags.apply(c, cfg)
			if !c.Flags().Changed("data") {
				dir, err := os.MkdirTemp("", "hubgate-demo-")
				if err != nil {
					return err
				}
				defer os.RemoveAll(dir)
				cfg.DataDirectory = dir
			}
			if err := checkFlags(cfg); err != nil {
				return err
			}
			if !config.Off(chatRoom) {
				if err := config.CheckAddress(chatRoom); err != nil {
					return usagef("--chatroom-address: %w", err)
				}
			}
			logger, err := newLogger(c.ErrOrStderr(), cfg.Log)
			if err != nil {
				return usageError{err}
			}
			o := options(cfg, logger)
			o.Demo = true
			if !config.Off(chatRoom) {
				o.ChatRoomAddress = chatRoom
			}
			return runUntilSignal(c.Context(), runNode, o, func(a app.Addresses) error {
				if flags.json {
					return printJSON(c.OutOrStdout(), a)
				}
				return printDemo(c.OutOrStdout(), a)
			})
		},
	}
	flags.add(c)
	c.Flags().StringVar(&chatRoom, "chatroom-address", DefaultChatRoomAddress, "listen here for the chat room; 'off' to run one of your own")
	c.Flags().StringVar(&flags.data, "data", "", "keep the data in this directory (default: a temporary one)")
	return c
}

// checkFlags reports what flags have made wrong in a configuration that was right.
func checkFlags(cfg *config.Config) error {
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	return nil
}

func printDemo(w io.Writer, a app.Addresses) error {
	var b strings.Builder
	b.WriteString("Hubgate is ready.\n\n")
	writeAddresses(&b, a)
	b.WriteString("\nWhat to try next:\n")
	if a.ChatRoom != "" {
		fmt.Fprintf(&b, "  - Open %s in two windows and chat. The browser's network view shows the traffic going to %s.\n", a.ChatRoom, a.Gateway)
	}
	if a.Portal != "" {
		fmt.Fprintf(&b, "  - Open the portal at %s.\n", a.Portal)
	}
	if a.ConnectionString != "" {
		b.WriteString("  - Give the connection string to an app server of your own, as Azure:SignalR:ConnectionString.\n")
	}
	b.WriteString("  - Press Ctrl+C to end.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
