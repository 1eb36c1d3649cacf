package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/hubgate/hubgate/internal/gateway"
	"github.com/hubgate/hubgate/internal/gateway/expr"
)

func newPolicyEvalCommand() *cobra.Command {
	var contextFile string
	c := &cobra.Command{
		Use:   "eval [FILE]",
		Short: "Evaluate policy expressions",
		Long: "Read expressions, one JSON object {\"expr\":\"@(…)\",\"variant\":…} a line, from a file or the standard input and answer each with a line:\n" +
			"{\"type\":…,\"value\":…,\"text\":…}, {\"throws\":{\"type\":…,\"message\":…}} or {\"compileError\":…}. The file of --context says what\n" +
			"the expressions see as context.",
		Example: `  echo '{"expr":"@(context.Request.Method)"}' | hubgate apim policy eval --context context.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("unexpected argument %q", args[1])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if contextFile == "" {
				return usagef("give --context")
			}
			sample, err := os.Open(contextFile)
			if err != nil {
				return err
			}
			defer sample.Close()
			var in io.Reader = c.InOrStdin()
			if len(args) == 1 && args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer file.Close()
				in = file
			}
			if err := expr.EvaluateLines(c.Context(), gateway.ExpressionEnvironment(), sample, in, c.OutOrStdout()); err != nil {
				return fmt.Errorf("policy eval: %w", err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&contextFile, "context", "", "JSON file with the context that the expressions see")
	return c
}
