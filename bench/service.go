package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
)

// hubName is the hub that is measured.
const hubName = "bench"

// service is the measured process.
type service struct {
	process *exec.Cmd
	address string // host and port of the SignalR listener
	metrics string // URL
	key     string
	client  *http.Client
	stderr  *strings.Builder
}

// build compiles the service.
func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "hubgate")
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "github.com/hubgate/hubgate/cmd/hubgate")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the service: %w\n%s", err, out)
	}
	return binary, nil
}

// start runs the service as a user would, and waits until it is ready.
func start(ctx context.Context, binary, dir string) (s *service, err error) {
	data, err := os.MkdirTemp(dir, "data-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(data, "hubgate.yaml")
	settings := "listeners: {signalr: \"127.0.0.1:0\", gateway: off, management: off, metrics: \"127.0.0.1:0\"}\n" +
		"dataDirectory: " + strconv.Quote(filepath.Join(data, "store")) + "\nsignalr:\n  - name: bench\nlog: {level: error}\n"
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	s = &service{process: exec.CommandContext(ctx, binary, "serve", "--json", "--config", file), stderr: new(strings.Builder)}
	s.process.Stderr = s.stderr
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("starting the service: %w", err)
	}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		_ = s.process.Wait()
		return nil, fmt.Errorf("the service did not become ready: %w\n%s", err, s.stderr)
	}
	var ready struct {
		SignalR          string `json:"signalr"`
		Metrics          string `json:"metrics"`
		ConnectionString string `json:"connectionString"`
	}
	if err := json.Unmarshal(line, &ready); err != nil {
		return nil, fmt.Errorf("the service's first line: %w", err)
	}
	u, err := url.Parse(ready.SignalR)
	if err != nil {
		return nil, err
	}
	s.address = u.Host
	s.metrics = ready.Metrics + "/metrics"
	for part := range strings.SplitSeq(ready.ConnectionString, ";") {
		if key, ok := strings.CutPrefix(part, "AccessKey="); ok {
			s.key = key
		}
	}
	if s.key == "" || ready.Metrics == "" {
		return nil, errors.New("the service's first line has no access key or no metrics")
	}
	s.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: time.Minute}
	return s, nil
}

// stop ends the service.
func (s *service) stop() {
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
	_ = s.process.Process.Kill() // everybody has been measured; there is nothing to keep
	_ = s.process.Wait()
}

// token is a token for a path of the service.
func (s *service) token(path string) (string, error) {
	claims := append(auth.Lifetime(time.Now(), time.Hour), auth.Claim{Type: auth.ClaimAudience, Value: "http://" + s.address + path + "?hub=" + hubName})
	return auth.Sign(s.key, auth.HS256, claims...)
}

// sample is one look at the process.
type sample struct {
	heap, stack, resident, goroutines float64
	cpu                               float64 // seconds
	lastGC                            float64
}

// look reads the service's own metrics.
func (s *service) look(ctx context.Context) (v sample, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.metrics, nil)
	if err != nil {
		return v, err
	}
	w, err := s.client.Do(r)
	if err != nil {
		return v, err
	}
	defer func() { _ = w.Body.Close() }()
	names := map[string]*float64{
		"go_memstats_heap_alloc_bytes":     &v.heap,
		"go_memstats_stack_inuse_bytes":    &v.stack,
		"process_resident_memory_bytes":    &v.resident,
		"go_goroutines":                    &v.goroutines,
		"process_cpu_seconds_total":        &v.cpu,
		"go_memstats_last_gc_time_seconds": &v.lastGC,
	}
	lines := bufio.NewScanner(w.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if into := names[name]; ok && into != nil {
			if *into, err = strconv.ParseFloat(value, 64); err != nil {
				return v, fmt.Errorf("the metric %s: %w", name, err)
			}
			delete(names, name)
		}
	}
	if err := lines.Err(); err != nil {
		return v, err
	}
	for name := range names {
		return v, fmt.Errorf("the service has no metric %s", name)
	}
	_, _ = io.Copy(io.Discard, w.Body)
	return v, nil
}

// collections is how many garbage collections make a process settled: they free, shrink stacks, and empty pools.
const collections = 4

// settled looks at the process after garbage collections. Each look makes a little garbage, so looking often enough brings one about. What of
// the heap lives is the least that is seen between two of them, because garbage is swept a while after it was found.
func (s *service) settled(ctx context.Context) (sample, error) {
	last, err := s.look(ctx)
	least := last
	for seen := 0; err == nil && seen < collections; {
		var v sample
		if v, err = s.look(ctx); err != nil {
			break
		}
		if v.lastGC != last.lastGC {
			seen++
			if seen < collections {
				least = v
			}
		}
		if v.heap < least.heap && seen < collections {
			least = v
		}
		last = v
	}
	return least, err
}
