package archtest

import (
	"strings"
	"testing"
)

// rule forbids imports. All paths are directories of the module, or import paths of other modules, with all that lies below them.
type rule struct {
	why string
	// from are the packages that the rule is about; empty: all.
	from []string
	// to is what they may not import.
	to []string
	// except are packages that may.
	except []string
	// productOnly leaves out test files.
	productOnly bool
}

var (
	realtime   = []string{"internal/session", "internal/hub", "internal/serverlink", "internal/upstream", "internal/dataapi"}
	gateway    = []string{"internal/gateway"}
	management = []string{"internal/mgmt"}
)

func join(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

var rules = []rule{
	{
		why: "app wires everything, so only the command line may know it", to: []string{"internal/app"}, except: []string{"internal/app", "internal/cli"},
	},
	{
		why: "only a main function calls the command line", to: []string{"internal/cli"}, except: []string{"internal/cli", "cmd/hubgate"},
	},
	{
		why: "the main function calls the command line and does nothing else", from: []string{"cmd/hubgate"},
		to: []string{"internal", "appserver"}, except: []string{"internal/cli"},
	},
	{
		why: "realtime, gateway and management meet in resource and store", from: realtime, to: join(gateway, management),
	},
	{
		why: "realtime, gateway and management meet in resource and store", from: gateway, to: join(realtime, management),
	},
	{
		why: "realtime, gateway and management meet in resource and store", from: management, to: join(realtime, gateway),
	},
	{
		why: "a transport knows bytes and connections, not what they are for", from: []string{"internal/transport"},
		to: []string{"internal/session", "internal/hub"}, productOnly: true,
	},
	{
		why: "the routing core states the small interface that it needs of a connection", from: []string{"internal/hub"},
		to: []string{"internal/transport"}, productOnly: true,
	},
	{
		why: "NATS stays behind the store, the bus and its own start", to: []string{"github.com/nats-io"},
		except: []string{"internal/natsd", "internal/bus/natsbus", "internal/store/natskv"},
	},
	{
		why: "the bus carries bytes and knows nobody who sends or gets them", from: []string{"internal/bus"},
		to: join(realtime, gateway, management, []string{"internal/store", "internal/resource", "internal/config"}),
	},
	{
		why: "counters state the small interfaces that they need of the bus and the store", from: []string{"internal/gateway/limit"},
		to: []string{"internal/bus", "internal/store", "internal/natsd"}, productOnly: true,
	},
	{
		why: "WebSocket frames are the matter of few packages", to: []string{"github.com/gobwas/ws", "github.com/coder/websocket"},
		except:      []string{"internal/transport/websocket", "internal/gateway/proxy", "internal/serverlink", "appserver"},
		productOnly: true,
	},
	{
		why: "the store's contract tests and the test kit are for tests", to: []string{"internal/testkit", "internal/store/storetest", "internal/bus/bustest", "internal/natsd/natstest", "testing"},
		except: []string{"internal/testkit", "internal/store/storetest", "internal/bus/bustest", "internal/natsd/natstest"}, productOnly: true,
	},
	{
		why: "logging is log/slog, passed in", to: []string{"log"}, productOnly: true,
	},
}

// leaves may import the standard library, codecs and the packages that are listed here, and nothing else.
var leaves = map[string][]string{
	"internal/hubproto":     {"github.com/tinylib/msgp", "github.com/go-json-experiment/json"},
	"internal/svcproto":     {"github.com/tinylib/msgp"},
	"internal/gateway/expr": {"github.com/dlclark/regexp2", "github.com/go-json-experiment/json"},
	"internal/resource":     {"github.com/go-json-experiment/json"},
	"internal/openapi":      {"go.yaml.in/yaml/v3", "github.com/go-json-experiment/json", module + "/internal/resource"},
	// The configuration reads OpenAPI documents as it reads its own file; the package for them is a codec too.
	"internal/config": {"go.yaml.in/yaml/v3", "github.com/go-json-experiment/json", module + "/internal/resource", module + "/internal/openapi"},
}

// exact are import paths of the standard library that have others below them which the rule is not about.
var exact = map[string]bool{"log": true, "testing": true}

func (r rule) forbids(dir, imported string) bool {
	imported = strings.TrimPrefix(imported, module+"/")
	if len(r.from) > 0 && !within(dir, r.from...) {
		return false
	}
	if within(dir, r.except...) || within(imported, r.except...) && len(r.from) > 0 {
		return false
	}
	for _, to := range r.to {
		if imported == to || !exact[to] && within(imported, to) {
			return true
		}
	}
	return false
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, f := range readGoFiles(t) {
		for _, imported := range f.imports {
			for _, r := range rules {
				if r.productOnly && f.test {
					continue
				}
				if r.forbids(f.dir, imported) {
					t.Errorf("%s, but %s", place(f, imported), r.why)
				}
			}
		}
	}
}

func TestLeaves(t *testing.T) {
	t.Parallel()
	for _, f := range readGoFiles(t) {
		allowed, leaf := leaves[f.dir]
		if !leaf || f.test {
			continue
		}
		for _, imported := range f.imports {
			if isStandard(imported) || within(imported, allowed...) {
				continue
			}
			t.Errorf("%s, but %s imports the standard library and codecs only", place(f, imported), f.dir)
		}
	}
}

func isStandard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// TestRules shows that the rules catch what they are there to catch: a rule with a misspelt path would pass for ever.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		dir, imported string
		forbidden     bool
	}{
		{"internal/hub", module + "/internal/app", true},
		{"internal/cli", module + "/internal/app", false},
		{"internal/appendix", module + "/internal/application", false},
		{"cmd/hubgate", module + "/internal/cli", false},
		{"cmd/hubgate", module + "/internal/config", true},
		{"internal/app", module + "/internal/cli", true},
		{"internal/session", module + "/internal/gateway/policy", true},
		{"internal/gateway/policy", module + "/internal/session", true},
		{"internal/mgmt/signalr", module + "/internal/hub", true},
		{"internal/mgmt/signalr", module + "/internal/gateway", true},
		{"internal/dataapi", module + "/internal/mgmt", true},
		{"internal/dataapi", module + "/internal/hub", false},
		{"internal/transport/sse", module + "/internal/session", true},
		{"internal/hub", module + "/internal/transport/websocket", true},
		{"internal/session", module + "/internal/transport/websocket", false},
		{"internal/store/natskv", "github.com/nats-io/nats.go/jetstream", false},
		{"internal/store", "github.com/nats-io/nats.go", true},
		{"internal/bus/natsbus", "github.com/nats-io/nats.go", false},
		{"internal/bus", "github.com/nats-io/nats.go", true},
		{"internal/bus", module + "/internal/gateway/limit", true},
		{"internal/bus/natsbus", module + "/internal/bus", false},
		{"internal/gateway/limit", module + "/internal/bus", true},
		{"internal/app", module + "/internal/bus/bustest", true},
		{"internal/natsd", module + "/internal/natsd/natstest", true},
		{"internal/transport/websocket", "github.com/gobwas/ws", false},
		{"internal/transport/sse", "github.com/gobwas/ws/wsutil", true},
		{"internal/session", "github.com/coder/websocket", true},
		{"internal/store/memstore", module + "/internal/testkit", true},
		{"internal/hub", "log", true},
		{"internal/hub", "log/slog", false},
		{"internal/hub", "testing", true},
		{"internal/hub", "testing/fstest", false},
	} {
		forbidden := false
		for _, r := range rules {
			forbidden = forbidden || r.forbids(test.dir, test.imported)
		}
		if forbidden != test.forbidden {
			t.Errorf("that %s imports %s is forbidden: %t, want %t", test.dir, test.imported, forbidden, test.forbidden)
		}
	}
}
