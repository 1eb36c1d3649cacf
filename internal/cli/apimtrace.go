package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/gateway"
)

// debugService is a service of a configuration file whose traces a command is about.
type debugService struct {
	file, name string
}

func (s *debugService) add(c *cobra.Command) {
	c.Flags().SortFlags = false
	c.Flags().StringVar(&s.file, "config", "", "the configuration file of the node, which has the service and its debugKey")
	c.Flags().StringVar(&s.name, "service", "", "the service's name (default: the first one of the file)")
}

// load finds the service in its file.
func (s *debugService) load() (*config.Config, *config.Service, error) {
	if s.file == "" {
		return nil, nil, usagef("give --config")
	}
	cfg, err := config.Load(s.file, os.LookupEnv)
	if err != nil {
		return nil, nil, err
	}
	if len(cfg.APIManagement) == 0 {
		return nil, nil, fmt.Errorf("%s: the file has no API Management service", s.file)
	}
	found := &cfg.APIManagement[0]
	if s.name != "" {
		i := slices.IndexFunc(cfg.APIManagement, func(other config.Service) bool { return strings.EqualFold(other.Name, s.name) })
		if i < 0 {
			var names []string
			for _, other := range cfg.APIManagement {
				names = append(names, other.Name)
			}
			return nil, nil, fmt.Errorf("%s: there is no API Management service %q; there are %s", s.file, s.name, strings.Join(names, ", "))
		}
		found = &cfg.APIManagement[i]
	}
	if !found.DebugKey.IsSet() {
		return nil, nil, fmt.Errorf("%s: the service %s has no debugKey, so there are no debug credentials for it; give it one and start the node again", s.file, found.Name)
	}
	return cfg, found, nil
}

func newDebugCredentialsCommand() *cobra.Command {
	var service debugService
	var o struct {
		api      string
		purposes []string
		expires  time.Duration
		json     bool
	}
	c := &cobra.Command{
		Use:   "debug-credentials",
		Short: "Print debug credentials, with which requests to an API are traced",
		Long: "Print debug credentials for an API, as listDebugCredentials of Azure does. A request with them in the header\n" +
			"Apim-Debug-Authorization is traced, and its response names the trace in Apim-Trace-Id. They are signed with the debugKey of\n" +
			"the service in the configuration file; nothing needs to run. Whoever has them can trace requests until they expire.",
		Example: "  hubgate apim debug-credentials --config hubgate.yaml --service apim1 --api orders",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case o.api == "":
				return usagef("give --api")
			case !slices.Equal(o.purposes, []string{string(gateway.PurposeTracing)}):
				return usagef("--purposes is %s, the only one that there is", gateway.PurposeTracing)
			case o.expires < time.Second || o.expires > gateway.MaxDebugCredentials:
				return usagef("--expires is 1s to %s, not %s", gateway.MaxDebugCredentials, o.expires)
			}
			_, s, err := service.load()
			if err != nil {
				return err
			}
			token, err := gateway.NewDebugCredentials([]byte(s.DebugKey.Reveal()), s.Name, o.api, gateway.PurposeTracing, o.expires)
			if err != nil {
				return usageError{err}
			}
			if !slices.ContainsFunc(s.APIs, func(a config.API) bool { return strings.EqualFold(a.Name, o.api) }) {
				fmt.Fprintf(c.ErrOrStderr(), "hubgate: %s has no API %q in the service %s; the credentials are of use when the node has it from elsewhere\n", service.file, o.api, s.Name)
			}
			if o.json {
				_, err = fmt.Fprintf(c.OutOrStdout(), "{\"token\":%q}\n", token)
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), token)
			return err
		},
	}
	service.add(c)
	c.Flags().StringVar(&o.api, "api", "", "the API's name, without a revision")
	c.Flags().StringSliceVar(&o.purposes, "purposes", []string{string(gateway.PurposeTracing)}, "what the credentials are for")
	c.Flags().DurationVar(&o.expires, "expires", gateway.MaxDebugCredentials, "how long they are valid, an hour at most")
	c.Flags().BoolVar(&o.json, "json", false, "print the answer of listDebugCredentials, {\"token\":…}")
	return c
}

// traceID is an id as gateways make it.
var traceID = regexp.MustCompile(`^[0-9a-f]{32}$`)

func newTraceCommand() *cobra.Command {
	var service debugService
	var id, endpoint string
	c := &cobra.Command{
		Use:   "trace",
		Short: "Print the trace of a request",
		Long: "Print a trace as JSON, as listTrace of Azure does. It is asked of the node that runs with the configuration file, or of the one\n" +
			"at --endpoint. A node keeps the last 100 traces of each service.",
		Example: "  hubgate apim trace --config hubgate.yaml --service apim1 --trace-id 0123456789abcdef0123456789abcdef",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if !traceID.MatchString(id) {
				return usagef("--trace-id is what the header Apim-Trace-Id said: 32 digits and letters from a to f")
			}
			cfg, s, err := service.load()
			if err != nil {
				return err
			}
			host := "" // that picks the service
			if endpoint != "" {
				if endpoint, _, err = cleanEndpoint(endpoint); err != nil {
					return usagef("--endpoint: %w", err)
				}
			} else {
				if endpoint, err = gatewayEndpoint(cfg); err != nil {
					return err
				}
				host = strings.ToLower(s.Name) + ".azure-api." + cfg.Domain
			}
			// These credentials read and nothing else, and are worth nothing soon.
			token, err := gateway.NewDebugCredentials([]byte(s.DebugKey.Reveal()), s.Name, "", gateway.PurposeReading, time.Minute)
			if err != nil {
				return err
			}
			document, err := readTrace(c.Context(), strings.TrimSuffix(endpoint, "/"), host, token, id)
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(append(document, '\n'))
			return err
		},
	}
	service.add(c)
	c.Flags().StringVar(&id, "trace-id", "", "the id that the response has in Apim-Trace-Id")
	c.Flags().StringVar(&endpoint, "endpoint", "", "URL of the gateway, with a host name of the service (default: the listener of the file, on this machine)")
	return c
}

// gatewayEndpoint is where this machine reaches the gateway of a configuration.
func gatewayEndpoint(cfg *config.Config) (string, error) {
	host, port, err := net.SplitHostPort(cfg.Listeners.Gateway)
	if config.Off(cfg.Listeners.Gateway) || err != nil || port == "0" {
		return "", usagef("the file does not say at which port the gateway is reached; give --endpoint")
	}
	scheme := "http"
	if cfg.Listeners.GatewayTLS.On() {
		scheme = "https"
	}
	return scheme + "://" + reachableHost(host) + ":" + port, nil
}

// The bounds of reading a trace.
const (
	traceTimeout  = 30 * time.Second
	maxTraceBytes = 64 << 20
)

// readTrace asks a gateway for a trace.
func readTrace(ctx context.Context, endpoint, host, token, id string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, traceTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+gateway.TracePath+id, nil)
	if err != nil {
		return nil, err
	}
	r.Host = host
	r.Header.Set(gateway.DebugHeader, token)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("the gateway does not answer; --endpoint says where it is: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxTraceBytes+1))
	if err != nil {
		return nil, err
	}
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, fmt.Errorf("the gateway at %s has no trace %s: it keeps the last 100 of each service in memory, and each node has its own", endpoint, id)
	case http.StatusUnauthorized:
		return nil, fmt.Errorf("the gateway at %s refuses the credentials: does it run with the same debugKey, and is it the gateway of that service?", endpoint)
	default:
		return nil, fmt.Errorf("the gateway at %s answers %s", endpoint, response.Status)
	}
	if len(body) > maxTraceBytes {
		return nil, fmt.Errorf("the trace has more than %d bytes", maxTraceBytes)
	}
	document := jsontext.Value(bytes.TrimSpace(body))
	if err := document.Indent(jsontext.WithIndent("  ")); err != nil {
		return nil, errors.New("what " + endpoint + " answers is no trace; is it a gateway?")
	}
	return document, nil
}
