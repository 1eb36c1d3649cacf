package cli

import (
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hubgate/hubgate/internal/app"
	"github.com/hubgate/hubgate/internal/config"
)

func newServeCommand(runNode runner) *cobra.Command {
	var flags nodeFlags
	var file string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run a node",
		Long: "Run a node as its configuration file says; without one, as an empty file would: default addresses, no instances.\n" +
			"Flags go before the file. SIGTERM lets it end gracefully.",
		Example: "  hubgate serve --config hubgate.yaml",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg := config.Default()
			if file != "" {
				var err error
				if cfg, err = config.Load(file, os.LookupEnv); err != nil {
					return err
				}
			}
			flags.apply(c, cfg)
			if err := checkFlags(cfg); err != nil {
				return err
			}
			logger, err := newLogger(c.ErrOrStderr(), cfg.Log)
			if err != nil {
				return usageError{err}
			}
			for _, w := range cfg.Warnings() {
				logger.Warn("an OpenAPI document has what an API has no place for", "warning", w)
			}
			return runUntilSignal(c.Context(), runNode, options(cfg, logger), func(a app.Addresses) error {
				if flags.json {
					return printJSON(c.OutOrStdout(), a)
				}
				// A node's output often ends up in a log, where no token belongs.
				a.AdminToken, a.ConnectionString = "", ""
				var b strings.Builder
				b.WriteString("Hubgate is ready.\n\n")
				writeAddresses(&b, a)
				_, err := io.WriteString(c.OutOrStdout(), b.String())
				return err
			})
		},
	}
	c.Flags().SortFlags = false
	c.Flags().StringVar(&file, "config", "", "the configuration file")
	flags.add(c)
	c.Flags().StringVar(&flags.data, "data", "", "keep the data in this directory (default: hubgate-data)")
	return c
}
