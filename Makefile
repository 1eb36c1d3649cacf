# Everything a user or a contributor runs. Each target does its own set-up.

GO      ?= go
BIN     := bin/hubgate
PKGS    := ./...
CONFORM := $(GO) test -tags conformance -count=1 -timeout 50m

.PHONY: demo build test race lint fuzz expressions bench conformance clean

demo: build ## the whole story: SignalR instance, API Management service, chat room
	./$(BIN) demo

build:
	$(GO) build -trimpath -o $(BIN) ./cmd/hubgate

test: build lint ## everything, with the race detector where it pays
	$(GO) test -count=1 -timeout 20m $(PKGS)
	$(GO) test -race -count=1 -timeout 20m ./internal/message/... ./internal/transport/... ./internal/hub/... ./internal/session/... ./internal/serverlink/... ./internal/app/... ./internal/gateway ./internal/gateway/proxy/... ./internal/store/... ./appserver/...

race: ## the whole suite under the race detector
	$(GO) test -race -count=1 -timeout 30m $(PKGS)

lint: ## vet, and the linters pinned in tools/go.mod
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'run gofmt on these'; exit 1; }
	$(GO) vet $(PKGS)
	$(GO) tool -modfile=tools/go.mod staticcheck $(PKGS)

conformance: build ## real clients (npm, Chromium, .NET) against the running binary
	$(CONFORM) -v ./conformance/...

bench: ## memory and goroutines of idle clients, CPU of a broadcast, and the Go benchmarks of the hot path
	$(GO) run ./bench

fuzz: ## each fuzzer for a while; FUZZTIME=10m for a long run
	@for pkg in $$($(GO) list $(PKGS)); do for f in $$($(GO) test -list '^Fuzz' $$pkg | grep ^Fuzz); do \
	echo "== $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-30s} $$pkg || exit 1; done; done

expressions: ## counts the policy expressions that give what real C# gave
	$(GO) test -count=1 -run '^TestVectors$$' -v ./internal/gateway/expr

clean:
	rm -rf bin
