package config

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

// Validate reports all that is wrong with a configuration which did not come from [Load], one problem a line.
func (c *Config) Validate() error {
	d := &decoder{}
	c.validate(d.at)
	return d.err("configuration")
}

// reporter takes one problem at a path.
type reporter func(path, format string, args ...any)

func (c *Config) validate(report reporter) {
	c.Listeners.validate(report, c)
	if c.Domain == "" || strings.ContainsAny(c.Domain, "/: \t") || strings.Trim(c.Domain, ".") != c.Domain {
		report("domain", "%q is not a domain name like localhost or example.com", c.Domain)
	}
	if c.DataDirectory == "" && !c.NATS.URL.IsSet() {
		report("dataDirectory", "is empty; a node without an outside NATS needs a directory for its resources")
	}
	c.Limits.validate(report)
	c.SecretReferences.validate(report)
	oneOf(report, "log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf(report, "log.format", c.Log.Format, "text", "json")
	c.Telemetry.Tracing.validate(report)
	for i, s := range c.SignalR {
		path := fmt.Sprintf("signalr[%d]", i)
		for name, v := range map[string]Duration{"keepAlive": s.KeepAlive, "clientTimeout": s.ClientTimeout, "quotas.connectionLifetime": s.Quotas.ConnectionLifetime} {
			if v.Std()%time.Second != 0 {
				report(path+"."+name, "must be a whole number of seconds")
			}
		}
		c.validateUpstream(report, path, &c.SignalR[i])
	}
	c.Gateway.validate(report)
	for i, s := range c.APIManagement {
		s.validateProducts(fmt.Sprintf("apiManagement[%d]", i), report)
		s.Diagnostic.validate(report, fmt.Sprintf("apiManagement[%d]", i), c.Gateway.RequestLog)
		for k, a := range s.APIs {
			a.Diagnostic.validate(report, fmt.Sprintf("apiManagement[%d].apis[%d]", i, k), c.Gateway.RequestLog)
		}
		if s.DebugKey.IsSet() && len(s.DebugKey.Reveal()) < minDebugKey {
			report(fmt.Sprintf("apiManagement[%d].debugKey", i), "must have %d characters or more; whoever has debug credentials could guess a short one", minDebugKey)
		}
	}
	c.validateResources(report)
}

func (l *Listeners) validate(report reporter, c *Config) {
	l.SignalRTLS.validate(report, "listeners.signalrTls", c)
	l.GatewayTLS.validate(report, "listeners.gatewayTls", c)
	used := make(map[string]string)
	for _, listener := range []struct{ path, address string }{
		{"listeners.signalr", l.SignalR}, {"listeners.gateway", l.Gateway}, {"listeners.management", l.Management}, {"listeners.metrics", l.Metrics},
	} {
		if Off(listener.address) {
			continue
		}
		if err := CheckAddress(listener.address); err != nil {
			report(listener.path, "%v", err)
			continue
		}
		if other, taken := used[listener.address]; taken && !strings.HasSuffix(listener.address, ":0") {
			report(listener.path, "is the same address as that of %s", other)
		}
		used[listener.address] = listener.path
	}
}

// Off says whether an address leaves its listener out.
func Off(address string) bool { return address == "" || address == "off" }

// CheckAddress reports an address that is not host:port with a port from 0 to 65535.
func CheckAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		if n, numeric := strconv.Atoi(port); numeric == nil && n >= 0 && n <= 65535 {
			return nil
		}
	}
	return fmt.Errorf("%q is not an address like 127.0.0.1:8888, with a port from 0 to 65535", address)
}

func (l *Limits) validate(report reporter) {
	v := reflect.ValueOf(*l)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		if name != "connections" && v.Field(i).Int() <= 0 {
			report("limits."+name, "must be above 0; a limit cannot be switched off")
		}
	}
}

func oneOf(report reporter, path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		report(path, "%q is none of %s", value, strings.Join(allowed, ", "))
	}
}

// validateResources lets each resource validate itself, and looks for names that are there twice.
func (c *Config) validateResources(report reporter) {
	seen := make(map[string]string)
	for _, p := range c.resources(placeholderKeys) {
		if other, ok := seen[p.res.ResourceID().Key()]; ok {
			report(p.path, "has the same name as %s", other)
			continue
		}
		seen[p.res.ResourceID().Key()] = p.path
		err := p.res.Validate()
		if err == nil {
			continue
		}
		path, message := p.path, err.Error()
		if e, ok := errors.AsType[*resource.Error](err); ok {
			if message = e.Message; e.Target != "" {
				path += "." + p.field(e.Target)
			}
			if e.Target == "id" {
				// Ids are made here, so it is the name that makes an id wrong.
				message = "must not hold a slash"
			}
		}
		report(path, "%s", message)
	}
	for i, s := range c.APIManagement {
		for k, raw := range s.Resources {
			if raw.resource == nil {
				continue
			}
			if parent := raw.resource.ResourceID().Parent(); seen[parent.Key()] == "" {
				service := resource.NewID(resource.ApiManagement, "service", s.Name)
				report(fmt.Sprintf("apiManagement[%d].resources[%d].id", i, k), "the file has no %s to put it into", strings.TrimPrefix(string(parent), string(service)+"/"))
			}
		}
		for k, a := range s.APIs {
			a.validateDefinitions(fmt.Sprintf("apiManagement[%d].apis[%d]", i, k), report)
			if resource.APIType(a.Type) == resource.APITypeWebSocket && len(a.Operations) > 0 {
				report(fmt.Sprintf("apiManagement[%d].apis[%d].operations", i, k), "a WebSocket API has no operations but onHandshake, which is there by itself; a policy of the API holds for it")
			}
		}
	}
}

// placeholderKeys fills in the keys that Resources would look up or make, so that the rest can be validated.
func placeholderKeys(s *resource.SignalR) {
	if s.PrimaryKey == "" {
		s.PrimaryKey = "primary"
	}
	if s.SecondaryKey == "" {
		s.SecondaryKey = "secondary"
	}
}
