// Command hubgate is Azure SignalR Service and Azure API Management on your own machines.
package main

import (
	"context"
	"os"

	"github.com/hubgate/hubgate/internal/cli"
)

func main() {
	os.Exit(cli.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
