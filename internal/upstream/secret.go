package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

const (
	// secretReread is how old a secret may become, as that of a Key Vault reference may in Azure.
	secretReread = 30 * time.Minute
	// secretCheck is how long nobody looks whether a file has changed.
	secretCheck = time.Second
	// maxSecretBytes is the largest file of a secret.
	maxSecretBytes = 64 << 10
)

// secret is a text that is read from where a reference says, and again when it changes or has become old.
type secret struct {
	ref    resource.SecretReference
	logger *slog.Logger

	mu      sync.Mutex
	text    string // the last one that could be read
	err     error  // why there is none, or why it is an old one
	stamp   stamp  // of the file, when it was read
	read    time.Time
	checked time.Time
}

// stamp tells whether a file is still the same. The zero value is that of an environment variable.
type stamp struct {
	size    int64
	changed time.Time
}

// value is the secret. One that cannot be read any more stays as it was, for a file may be away for a moment while it is replaced.
func (s *secret) value() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.checked.IsZero() || now.Sub(s.checked) >= secretCheck {
		s.checked = now
		s.refreshLocked(now)
	}
	if s.text == "" {
		return "", s.err
	}
	return s.text, nil
}

func (s *secret) refreshLocked(now time.Time) {
	current, err := s.look()
	if err == nil && s.text != "" && s.err == nil && current == s.stamp && now.Sub(s.read) < secretReread {
		return
	}
	text := ""
	if err == nil {
		text, err = s.load()
	}
	if err != nil {
		if s.err == nil {
			s.logger.LogAttrs(context.Background(), slog.LevelWarn, "a secret of an upstream endpoint cannot be read", slog.Bool("oldOneStays", s.text != ""), slog.Any("reason", err))
		}
		s.err = err
		return
	}
	s.text, s.err, s.stamp, s.read = text, nil, current, now
}

// look asks for the state of the file.
func (s *secret) look() (stamp, error) {
	if s.ref.File == "" {
		return stamp{}, nil
	}
	info, err := os.Stat(s.ref.File)
	if err != nil {
		return stamp{}, err
	}
	if !info.Mode().IsRegular() { // reading a pipe could take for ever
		return stamp{}, fmt.Errorf("%s is not a regular file", s.ref.File)
	}
	return stamp{info.Size(), info.ModTime()}, nil
}

func (s *secret) load() (string, error) {
	if s.ref.File == "" {
		text := os.Getenv(s.ref.Env)
		if text == "" {
			return "", fmt.Errorf("the environment variable %s is not set", s.ref.Env)
		}
		return text, nil
	}
	file, err := os.Open(s.ref.File)
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSecretBytes+1))
	switch {
	case err != nil:
		return "", err
	case len(data) > maxSecretBytes:
		return "", fmt.Errorf("%s has more than %d bytes", s.ref.File, maxSecretBytes)
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		return "", fmt.Errorf("%s is empty", s.ref.File)
	}
	return text, nil
}

// secrets makes secrets of the references of one configuration; equal ones become one.
type secrets struct {
	rules  resource.SecretRules
	logger *slog.Logger
	known  map[resource.SecretReference]*secret
}

// of is the secret that is referred to. It is an error when that is not allowed, but not when it cannot be read: that may come later.
func (s *secrets) of(ref resource.SecretReference) (*secret, error) {
	if err := s.rules.Check(ref); err != nil {
		return nil, err
	}
	if known := s.known[ref]; known != nil {
		return known, nil
	}
	made := &secret{ref: ref, logger: s.logger}
	if s.known == nil {
		s.known = make(map[resource.SecretReference]*secret)
	}
	s.known[ref] = made
	_, _ = made.value() // so that the log tells at once what cannot be read
	return made, nil
}

// secretText is a secret, or a reference to one.
type secretText struct {
	text string
	ref  *secret // nil: text is it
}

func (s *secrets) text(text string) (secretText, error) {
	ref, is, err := resource.ParseSecretReference(text)
	if err != nil || !is {
		return secretText{text: text}, err
	}
	found, err := s.of(ref)
	return secretText{ref: found}, err
}

func (t secretText) value() (string, error) {
	if t.ref == nil {
		return t.text, nil
	}
	return t.ref.value()
}

// String hides the secret.
func (t secretText) String() string { return "[redacted]" }

var errNoSecret = errors.New("a secret of the upstream's URL cannot be read")
