package config

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hubgate/hubgate/internal/resource"
)

// The largest configuration file and the largest file of a secret, in bytes.
const (
	MaxFileLength   = 8 << 20
	MaxSecretLength = 64 << 10
)

// Load reads, resolves and validates a configuration file. lookupEnv is os.LookupEnv. The error names the file, the line and the field of
// each problem, one a line, and shows no secret.
func Load(file string, lookupEnv func(name string) (string, bool)) (*Config, error) {
	data, err := readBounded(file, MaxFileLength)
	if err != nil {
		return nil, err
	}
	return Parse(data, file, lookupEnv)
}

// Parse is [Load] of a file's content; file is its name, for messages and for the files that it refers to.
func Parse(data []byte, file string, lookupEnv func(name string) (string, bool)) (*Config, error) {
	c := Default()
	d := &decoder{lines: make(map[string]int)}
	if err := d.decodeYAML(data, c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := d.err(file); err != nil {
		return nil, err
	}
	r := &resolver{decoder: d, dir: filepath.Dir(file), lookupEnv: lookupEnv}
	r.resolve(c)
	if err := d.err(file); err != nil {
		return nil, err
	}
	c.validate(d.at)
	if err := d.err(file); err != nil {
		return nil, err
	}
	return c, nil
}

// resolver reads what the file refers to.
type resolver struct {
	*decoder
	dir       string // what relative file names are relative to
	lookupEnv func(string) (string, bool)
}

func (r *resolver) resolve(c *Config) {
	if c.DataDirectory != "" {
		c.DataDirectory = r.absolute(c.DataDirectory)
	}
	for i, dir := range c.SecretReferences.Directories {
		if dir != DefaultSecretDirectory { // which stays what it is on a system where such a path is no absolute one
			c.SecretReferences.Directories[i] = r.absolute(dir)
		}
	}
	for path, t := range map[string]*TLS{"listeners.signalrTls": &c.Listeners.SignalRTLS, "listeners.gatewayTls": &c.Listeners.GatewayTLS} {
		files := []*string{&t.CertificateFile, &t.KeyFile, &t.ClientCAFile}
		if t.ACME != nil {
			files = append(files, &t.ACME.CacheDirectory, &t.ACME.TrustedCAFile)
			r.secret(path+".acme.externalAccount.secret", &t.ACME.ExternalAccount.Secret)
		}
		for _, file := range files {
			if *file != "" {
				*file = r.absolute(*file)
			}
		}
	}
	r.secret("nats.url", &c.NATS.URL)
	r.secret("gateway.identity.clientSecret", &c.Gateway.Identity.ClientSecret)
	if c.Gateway.Identity.TokenFile != "" {
		c.Gateway.Identity.TokenFile = r.absolute(c.Gateway.Identity.TokenFile)
	}
	if t := &c.Telemetry.Tracing; t.CAFile != "" {
		t.CAFile = r.absolute(t.CAFile)
	}
	for i := range c.Telemetry.Tracing.Headers {
		r.secret(fmt.Sprintf("telemetry.tracing.headers[%d].value", i), &c.Telemetry.Tracing.Headers[i].Value)
	}
	for i := range c.SignalR {
		path := fmt.Sprintf("signalr[%d]", i)
		secrets := c.SignalR[i].secrets()
		for _, name := range slices.Sorted(maps.Keys(secrets)) {
			r.secret(path+"."+name, secrets[name])
		}
	}
	for i := range c.APIManagement {
		s, path := &c.APIManagement[i], fmt.Sprintf("apiManagement[%d]", i)
		r.secret(path+".debugKey", &s.DebugKey)
		r.policy(path+".policy", &s.Policy)
		for k := range s.NamedValues {
			r.secret(fmt.Sprintf("%s.namedValues[%d].value", path, k), &s.NamedValues[k].Value)
		}
		for k := range s.Products {
			r.policy(fmt.Sprintf("%s.products[%d].policy", path, k), &s.Products[k].Policy)
		}
		for k := range s.Resources {
			r.rawResource(fmt.Sprintf("%s.resources[%d]", path, k), resource.NewID(resource.ApiManagement, "service", s.Name), &s.Resources[k])
		}
		for k := range s.Subscriptions {
			path := fmt.Sprintf("%s.subscriptions[%d]", path, k)
			r.secret(path+".primaryKey", &s.Subscriptions[k].PrimaryKey)
			r.secret(path+".secondaryKey", &s.Subscriptions[k].SecondaryKey)
		}
		for k := range s.APIs {
			path := fmt.Sprintf("%s.apis[%d]", path, k)
			r.policy(path+".policy", &s.APIs[k].Policy)
			for o := range s.APIs[k].Operations {
				r.policy(fmt.Sprintf("%s.operations[%d].policy", path, o), &s.APIs[k].Operations[o].Policy)
			}
			r.openAPI(path, &s.APIs[k])
		}
	}
}

func (r *resolver) absolute(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.dir, name)
}

func (r *resolver) secret(path string, s *Secret) { r.text(path, s, MaxSecretLength) }

// text reads what a secret refers to, at most limit bytes of a file.
func (r *resolver) text(path string, s *Secret, limit int64) {
	switch {
	case s.File != "" && s.Env != "":
		r.at(path, "has both a file and an env; give one of them")
	case s.File != "":
		data, err := readBounded(r.absolute(s.File), limit)
		if err != nil {
			r.at(path, "%v", err)
			return
		}
		if s.text = strings.TrimRight(string(data), "\r\n"); s.text == "" {
			r.at(path, "the file %s is empty", s.File)
		}
	case s.Env != "":
		text, ok := r.lookupEnv(s.Env)
		if !ok || text == "" {
			r.at(path, "the environment variable %s is not set", s.Env)
		}
		s.text = text
	}
}

func (r *resolver) policy(path string, p *Policy) {
	if p.File == "" {
		return
	}
	if p.Text != "" {
		r.at(path, "has both a file and a text; give one of them")
		return
	}
	data, err := readBounded(r.absolute(p.File), resource.MaxPolicySize)
	if err != nil {
		r.at(path, "%v", err)
		return
	}
	if p.Text = string(data); p.Text == "" {
		r.at(path, "the file %s is empty", p.File)
	}
}

// readBounded reads a file of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return data, nil
}
