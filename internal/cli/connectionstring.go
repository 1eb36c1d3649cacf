package cli

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hubgate/hubgate/internal/config"
)

// accessKeyVariable is the environment variable that connection-string takes the key from when no flag says where it is. A flag with
// the key itself would show it to every user of the machine.
const accessKeyVariable = "HUBGATE_ACCESS_KEY"

func newConnectionStringCommand() *cobra.Command {
	var o struct {
		config, name, key              string
		endpoint, accessKeyFile        string
		clientEndpoint, serverEndpoint string
	}
	c := &cobra.Command{
		Use:   "connection-string",
		Short: "Print the connection string of an instance",
		Long: "Print the connection string that an app server takes. The endpoint and the access key come from a configuration file,\n" +
			"or from --endpoint and --access-key-file or the environment variable " + accessKeyVariable + ".",
		Example: "  hubgate connection-string --config hubgate.yaml --client-endpoint http://localhost:8080\n" +
			"  hubgate connection-string --endpoint http://localhost:8888 --access-key-file key.txt",
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.key != "primary" && o.key != "secondary" {
				return usagef("--key is primary or secondary, not %q", o.key)
			}
			var s connectionString
			switch {
			case o.config != "":
				cfg, err := config.Load(o.config, os.LookupEnv)
				if err != nil {
					return err
				}
				if err := s.fromConfig(cfg, o.name, o.key); err != nil {
					return fmt.Errorf("%s: %w", o.config, err)
				}
			case o.endpoint == "":
				return usagef("give --config or --endpoint")
			case o.name != "":
				return usagef("--name picks an instance of --config")
			}
			if o.endpoint != "" {
				if err := s.setEndpoint(o.endpoint); err != nil {
					return usagef("--endpoint: %w", err)
				}
			}
			if err := s.setAccessKey(c.InOrStdin(), o.accessKeyFile); err != nil {
				return err
			}
			for flag, target := range map[string]*string{"client-endpoint": &s.clientEndpoint, "server-endpoint": &s.serverEndpoint} {
				value := c.Flag(flag).Value.String()
				if value == "" {
					continue
				}
				endpoint, note, err := cleanEndpoint(value)
				if err != nil {
					return usagef("--%s: %w", flag, err)
				}
				if note != "" {
					fmt.Fprintf(c.ErrOrStderr(), "hubgate: --%s: %s\n", flag, note)
				}
				*target = endpoint
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), s.format())
			return err
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.clientEndpoint, "client-endpoint", "", "URL that clients connect to in the place of the endpoint, as that of a gateway; with a path, it ends in a slash")
	flags.StringVar(&o.serverEndpoint, "server-endpoint", "", "URL that app servers connect to in the place of the endpoint")
	flags.StringVar(&o.config, "config", "", "the configuration file that has the instance")
	flags.StringVar(&o.name, "name", "", "the instance's name (default: the first one of the file)")
	flags.StringVar(&o.key, "key", "primary", "which access key of the file to use: primary or secondary")
	flags.StringVar(&o.endpoint, "endpoint", "", "URL of the instance (default: that of the file)")
	flags.StringVar(&o.accessKeyFile, "access-key-file", "", "file that holds the access key; - for the standard input")
	return c
}

// connectionString is what an app server is given (Azure SignalR Service, "Connection strings").
type connectionString struct {
	scheme, host, port             string
	accessKey                      string // secret, but showing it is what the command is for
	clientEndpoint, serverEndpoint string
}

func (s *connectionString) format() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Endpoint=%s://%s;", s.scheme, s.host)
	if s.port != "" {
		fmt.Fprintf(&b, "Port=%s;", s.port)
	}
	fmt.Fprintf(&b, "AccessKey=%s;Version=1.0;", s.accessKey)
	if s.clientEndpoint != "" {
		fmt.Fprintf(&b, "ClientEndpoint=%s;", s.clientEndpoint)
	}
	if s.serverEndpoint != "" {
		fmt.Fprintf(&b, "ServerEndpoint=%s;", s.serverEndpoint)
	}
	return b.String()
}

// fromConfig takes the address and the key of an instance; name "" is the first one.
func (s *connectionString) fromConfig(cfg *config.Config, name, key string) error {
	if len(cfg.SignalR) == 0 {
		return errors.New("the file has no SignalR instance")
	}
	instance := cfg.SignalR[0]
	if name != "" {
		var names []string
		found := false
		for _, i := range cfg.SignalR {
			names = append(names, i.Name)
			if strings.EqualFold(i.Name, name) {
				instance, found = i, true
			}
		}
		if !found {
			return fmt.Errorf("there is no SignalR instance %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	secret := instance.PrimaryKey
	if key == "secondary" {
		secret = instance.SecondaryKey
	}
	s.accessKey = secret.Reveal()
	s.scheme = "http"
	if config.Off(cfg.Listeners.SignalR) {
		return nil
	}
	host, port, err := net.SplitHostPort(cfg.Listeners.SignalR)
	if err != nil {
		return err
	}
	// With port 0 the node alone knows its port; --endpoint may say it.
	if port != "0" {
		s.host, s.port = reachableHost(host), port
	}
	if t := cfg.Listeners.SignalRTLS; t.On() {
		s.scheme = "https"
		if t.ACME != nil && s.host != "" {
			s.host = t.ACME.HostNames[0] // for which there is a certificate
		}
	}
	return nil
}

// reachableHost is the host by which this machine reaches a listener.
func reachableHost(host string) string {
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && (ip.IsLoopback() || ip.IsUnspecified()):
		return "localhost"
	case err == nil && ip.Is6():
		return "[" + host + "]"
	}
	return host
}

func (s *connectionString) setEndpoint(text string) error {
	endpoint, _, err := cleanEndpoint(text)
	if err != nil {
		return err
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	if u.Path != "" {
		return fmt.Errorf("%q must not have a path", text)
	}
	s.scheme, s.host, s.port = u.Scheme, strings.TrimSuffix(u.Host, ":"+u.Port()), u.Port()
	return nil
}

// setAccessKey takes the key of a file or of the environment when there is none yet, and checks that all that is needed is there.
func (s *connectionString) setAccessKey(stdin io.Reader, file string) error {
	switch {
	case file == "-":
		data, err := io.ReadAll(io.LimitReader(stdin, config.MaxSecretLength))
		if err != nil {
			return fmt.Errorf("access key: %w", err)
		}
		s.accessKey = strings.TrimSpace(string(data))
	case file != "":
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("access key: %w", err)
		}
		s.accessKey = strings.TrimSpace(string(data))
	case s.accessKey == "":
		s.accessKey = os.Getenv(accessKeyVariable)
	}
	switch {
	case s.accessKey == "":
		return usagef("there is no access key; give --access-key-file or set %s", accessKeyVariable)
	case strings.ContainsAny(s.accessKey, ";\r\n"):
		return errors.New("access key: it must be one line without a semicolon, which ends a value of a connection string")
	case s.host == "":
		return usagef("the file does not say at which port the instance is reached; give --endpoint")
	}
	return nil
}

// cleanEndpoint checks the URL of an endpoint and brings it into the form that the SDKs need: they append "client/" or "server/" to it as
// it stands, so that a path must end in a slash. note says what was changed, when that may surprise.
func cleanEndpoint(text string) (endpoint, note string, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", "", fmt.Errorf("%q is not a URL like http://localhost:8080", text)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return "", "", fmt.Errorf("%q has a port that is not from 1 to 65535", text)
		}
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Contains(text, ";") {
		return "", "", errors.New("the URL must not have a user, a query, a fragment or a semicolon")
	}
	if path := strings.TrimRight(text[len(u.Scheme)+len("://")+len(u.Host):], "/"); path == "" {
		return u.Scheme + "://" + u.Host, "", nil
	}
	if !strings.HasSuffix(text, "/") {
		return text + "/", "added the slash at the end, without which clients would put 'client/' right behind the last word of the path", nil
	}
	return text, "", nil
}
