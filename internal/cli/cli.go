// Package cli is the command line: its commands are made by constructors, and [Run] is all that a main function needs.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hubgate/hubgate/internal/app"
)

// The exit codes of [Run].
const (
	ExitOK      = 0 // it did what it was told, ending by SIGTERM or SIGINT included
	ExitFailure = 1 // something went wrong; the message is on stderr
	ExitUsage   = 2 // the command line makes no sense; nothing was done
)

// runner is [app.Run], or what stands for it in a test of the command line alone.
type runner func(ctx context.Context, o app.Options, ready func(app.Addresses)) error

// Run runs the command that args, without the program's name, describe, and returns the exit code. When ctx ends, a node ends gracefully.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return run(ctx, args, stdin, stdout, stderr, app.Run)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, runNode runner) int {
	root := newRootCommand(runNode)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitOK
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(stderr, "hubgate: %s\n", strings.TrimSuffix(line, "\n"))
	}
	if _, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintf(stderr, "Run '%s --help' for help.\n", command.CommandPath())
		return ExitUsage
	}
	return ExitFailure
}

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// noArguments is the rule of the commands that take flags only.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
	}
	return nil
}

func newRootCommand(runNode runner) *cobra.Command {
	c := &cobra.Command{
		Use:   "hubgate",
		Short: "Azure SignalR Service and Azure API Management on your own machines",
		Long: "Hubgate is Azure SignalR Service and Azure API Management on your own machines.\n" +
			"Clients, app servers and management tools made for Azure use it unchanged.",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			message := fmt.Sprintf("there is no command %q", args[0])
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				message += "; is it " + strings.Join(near, " or ") + "?"
			}
			return usagef("%s", message)
		},
		RunE:                       func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c.AddCommand(
		newDemoCommand(runNode),
		newServeCommand(runNode),
		newAPIMCommand(),
		newConnectionStringCommand(),
		newVersionCommand(),
	)
	return c
}
