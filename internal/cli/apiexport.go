package cli

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/openapi"
	"github.com/hubgate/hubgate/internal/resource"
)

func newAPIExportCommand() *cobra.Command {
	var o struct {
		config, service, api, format, gatewayURL string
		json                                     bool
	}
	c := &cobra.Command{
		Use:   "export",
		Short: "Print an API of a configuration file as an OpenAPI document",
		Long: "Print an API of a configuration file as an OpenAPI document: openapi, which is OpenAPI 3.0 in YAML, openapi+json, or swagger-json,\n" +
			"which is OpenAPI 2. Its servers are the gateway's. What the format has no place for is a warning on the standard error.\n" +
			"Nothing needs to run.",
		Example: "  hubgate apim api export --config hubgate.yaml --api orders\n" +
			"  hubgate apim api export --config hubgate.yaml --service apim1 --api orders --format swagger-json --gateway-url https://api.example.com",
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			format, err := openapi.ParseFormat(o.format)
			switch {
			case err != nil:
				return usagef("--format is %s, %s or %s, not %q", openapi.OpenAPIYAML, openapi.OpenAPIJSON, openapi.SwaggerJSON, o.format)
			case o.config == "":
				return usagef("give --config")
			case o.api == "":
				return usagef("give --api")
			}
			gatewayURL, err := cleanGatewayURL(o.gatewayURL)
			if err != nil {
				return usagef("--gateway-url: %w", err)
			}
			cfg, err := config.Load(o.config, os.LookupEnv)
			if err != nil {
				return err
			}
			d, err := describedAPI(cfg, o.service, o.api, gatewayURL)
			if err != nil {
				return fmt.Errorf("%s: %w", o.config, err)
			}
			document, warnings, err := openapi.Export(d, format)
			if err != nil {
				return err
			}
			if o.json {
				return writeLine(c.OutOrStdout(), struct {
					Format   openapi.Format `json:"format"`
					Document string         `json:"document"`
					Warnings []note         `json:"warnings"`
				}{format, string(document), newNotes(warnings)})
			}
			writeWarnings(c.ErrOrStderr(), o.api, warnings)
			_, err = c.OutOrStdout().Write(document)
			return err
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.config, "config", "", "the configuration file that has the API")
	flags.StringVar(&o.service, "service", "", "the API Management service (default: the first one of the file)")
	flags.StringVar(&o.api, "api", "", "the API's name")
	flags.StringVar(&o.format, "format", string(openapi.OpenAPIYAML), "openapi, openapi+json or swagger-json")
	flags.StringVar(&o.gatewayURL, "gateway-url", "", "URL of the gateway (default: the address in the file)")
	flags.BoolVar(&o.json, "json", false, "print one line of JSON with the document and the warnings")
	return c
}

// cleanGatewayURL is a URL without the slash at its end; "" stays.
func cleanGatewayURL(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("it is not an http or https URL like https://api.example.com, without a user, a query and a fragment")
	}
	return strings.TrimRight(text, "/"), nil
}

// describedAPI is an API of the configuration as clients of its gateway see it.
func describedAPI(cfg *config.Config, service, api, gatewayURL string) (openapi.Description, error) {
	var d openapi.Description
	if len(cfg.APIManagement) == 0 {
		return d, errors.New("the file has no API Management service")
	}
	first := cfg.APIManagement[0].Name
	if service == "" {
		service = first
	}
	resources, err := cfg.Resources(func(resource.ID) *resource.SignalR { return nil })
	if err != nil {
		return d, err
	}
	id := resource.NewID(resource.ApiManagement, "service", service)
	var host string
	var services, apis []string
	for _, r := range resources {
		switch r := r.(type) {
		case *resource.ApiManagementService:
			services = append(services, r.ID.Name())
			if r.ID.Key() == id.Key() {
				host = r.HostNames[0]
			}
		case *resource.API:
			if r.ID.Parent().Key() != id.Key() {
				continue
			}
			apis = append(apis, r.ID.Name())
			if strings.EqualFold(r.ID.Name(), api) {
				d.API = r
			}
		case *resource.Operation:
			if d.API != nil && r.ID.Parent().Key() == d.API.ID.Key() {
				d.Operations = append(d.Operations, r)
			}
		case *resource.APISchema:
			if d.API != nil && r.ID.Parent().Key() == d.API.ID.Key() {
				d.Schemas = append(d.Schemas, r)
			}
		}
	}
	switch {
	case host == "":
		return d, fmt.Errorf("there is no API Management service %q; there are %s", service, strings.Join(services, ", "))
	case d.API == nil:
		return d, fmt.Errorf("the service %s has no API %q; it has %s", service, api, strings.Join(apis, ", "))
	}
	if gatewayURL == "" {
		if strings.EqualFold(service, first) {
			host = "" // It answers under any name.
		}
		gatewayURL = gatewayAddress(cfg.Listeners, host)
	}
	if gatewayURL != "" {
		d.Servers = []string{strings.TrimSuffix(gatewayURL+"/"+d.API.Suffix(), "/")}
	}
	return d, nil
}

// gatewayAddress is the URL of the gateway under a host name, or under that by which this machine reaches it. It is "" when the file does
// not say its port.
func gatewayAddress(l config.Listeners, name string) string {
	host, port, err := net.SplitHostPort(l.Gateway)
	if config.Off(l.Gateway) || err != nil || port == "0" {
		return ""
	}
	if name == "" {
		name = reachableHost(host)
	}
	scheme := "http"
	if l.GatewayTLS.On() {
		scheme = "https"
	}
	return scheme + "://" + name + ":" + port
}
