package app

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/limit"
)

// quotaInterval is how often the counts of quotas are written. What a node that dies has counted since is lost.
const quotaInterval = 30 * time.Second

// quotas keep the counts of one API Management service in a file of the data directory, so that a quota for a month outlives a restart.
type quotas struct {
	counters *limit.Local
	file     string // "" keeps them in memory alone
	written  []byte
	log      *slog.Logger
}

// openQuotas reads the counts that were kept. Ones that cannot be read are given up: a gateway that does not start would be worse.
func openQuotas(dir, service string, log *slog.Logger) *quotas {
	q := &quotas{counters: limit.NewLocal(), log: log}
	if dir == "" {
		return q
	}
	q.file = filepath.Join(dir, "quotas-"+strings.ToLower(service)+".jsonl")
	data, err := os.ReadFile(q.file)
	if err == nil {
		err = q.counters.Load(bytes.NewReader(data))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Error("the kept counts of quotas cannot be read; they begin anew", "file", q.file, "reason", err)
	}
	return q
}

// save writes the counts when they have changed, to a new file that then takes the old one's place.
func (q *quotas) save() {
	if q.file == "" {
		return
	}
	var out bytes.Buffer
	err := q.counters.Save(&out)
	if err == nil && bytes.Equal(out.Bytes(), q.written) {
		return
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(q.file), 0o700) // with an outside NATS nobody else has made it
	}
	if err == nil {
		err = os.WriteFile(q.file+".new", out.Bytes(), 0o600)
	}
	if err == nil {
		err = os.Rename(q.file+".new", q.file)
	}
	if err != nil {
		q.log.Error("the counts of quotas cannot be kept", "file", q.file, "reason", err)
		return
	}
	q.written = out.Bytes()
}

// keepQuotas writes the counts of all services now and then, and once more when ctx ends.
func (s *state) keepQuotas(ctx context.Context) {
	ticker := time.NewTicker(quotaInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.saveQuotas()
		case <-ctx.Done():
			s.saveQuotas()
			return
		}
	}
}

func (s *state) saveQuotas() {
	s.quotaMu.Lock()
	defer s.quotaMu.Unlock()
	for _, q := range s.quotas {
		q.save()
	}
}

// quotasOf are the counters of a service, which stay when the service is deleted and made again.
func (s *state) quotasOf(service string) *limit.Local {
	s.quotaMu.Lock()
	defer s.quotaMu.Unlock()
	key := strings.ToLower(service)
	q := s.quotas[key]
	if q == nil {
		q = openQuotas(s.dataDir, service, s.log)
		s.quotas[key] = q
	}
	return q.counters
}
