package cli

import "github.com/spf13/cobra"

// newAPIMCommand is the noun under which API Management's commands are.
func newAPIMCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "apim",
		Short: "Work with API Management services",
		Args:  noArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	policies := &cobra.Command{
		Use:   "policy",
		Short: "Check policies and try their expressions",
		Args:  noArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	policies.AddCommand(newPolicyCheckCommand(), newPolicyEvalCommand())
	apis := &cobra.Command{
		Use:   "api",
		Short: "Import and export APIs as OpenAPI documents",
		Args:  noArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	apis.AddCommand(newAPIImportCommand(), newAPIExportCommand())
	c.AddCommand(apis, policies, newDebugCredentialsCommand(), newTraceCommand())
	return c
}
