// Command bench measures what clients cost the service: it runs the real binary as a process of its own, connects clients and an app server to
// it, and prints that process's memory, goroutines and processor time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

// options are the command line.
type options struct {
	clients   int
	binary    string
	json      bool
	broadcast time.Duration
	echo      time.Duration
	quiet     io.Writer // progress
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o := options{quiet: stderr}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.clients, "clients", 10_000, "how many clients of each transport; bounded by the files that a process may open")
	flags.StringVar(&o.binary, "binary", "", "the service to measure; built from the source when it is not given")
	flags.BoolVar(&o.json, "json", false, "print one JSON document")
	flags.DurationVar(&o.broadcast, "broadcast", 12*time.Second, "how long to broadcast, for lone messages and again for bursts")
	flags.DurationVar(&o.echo, "echo", 5*time.Second, "how long to echo")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not understood; there are only flags", flags.Arg(0))
	}
	asked := o.clients
	if limit := openFiles(); limit > 0 {
		o.clients = min(o.clients, limit-spareFiles)
	}
	if o.clients < 1 {
		return fmt.Errorf("%d clients cannot be had: raise the limit of open files or ask for at least 1", o.clients)
	}
	dir, err := os.MkdirTemp("", "hubgate-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if o.binary == "" {
		if o.binary, err = build(ctx, dir); err != nil {
			return err
		}
	}
	r := report{Clients: o.clients, ClientsAsked: asked}
	for _, t := range transports {
		idle, err := measure(ctx, o, dir, t, &r)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		r.Idle = append(r.Idle, idle)
	}
	if o.json {
		return r.writeJSON(stdout)
	}
	return r.writeText(stdout)
}

// spareFiles are those that are needed beside one for each client.
const spareFiles = 200

// measure runs one service with clients of one transport. Only over WebSockets messages are measured, too: elsewhere they cost the same but for
// the write.
func measure(ctx context.Context, o options, dir string, t clientTransport, r *report) (idle, error) {
	s, err := start(ctx, o.binary, dir)
	if err != nil {
		return idle{}, err
	}
	defer s.stop()
	app, err := openAppServer(s, serverConnections)
	if err != nil {
		return idle{}, err
	}
	defer app.close()
	before, err := s.settled(ctx)
	if err != nil {
		return idle{}, err
	}
	_, _ = fmt.Fprintf(o.quiet, "connecting %d clients over %s\n", o.clients, t.name)
	crowd, err := connect(ctx, s, app, t, o.clients)
	if err != nil {
		return idle{}, err
	}
	defer crowd.close()
	after, err := s.settled(ctx)
	if err != nil {
		return idle{}, err
	}
	result := perClient(t.name, before, after, o.clients)
	if t.name != webSockets {
		return result, nil
	}
	for _, burst := range []int{1, 16} {
		_, _ = fmt.Fprintf(o.quiet, "broadcasting in bursts of %d\n", burst)
		b, err := broadcast(ctx, s, app, crowd, burst, o.broadcast)
		if err != nil {
			return result, err
		}
		r.Broadcast = append(r.Broadcast, b)
	}
	_, _ = fmt.Fprintln(o.quiet, "echoing")
	e, err := echo(ctx, s, crowd, o.echo)
	r.Echo = e
	return result, err
}

// serverConnections is how many an app server opens, as the SDKs do.
const serverConnections = 5
