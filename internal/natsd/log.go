package natsd

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// serverLogger hands the embedded server's log to slog. Its notices tell of its own life, which is detail here.
type serverLogger struct {
	logger *slog.Logger

	mu   sync.Mutex
	last string // the last error or fatal error
}

func (l *serverLogger) Noticef(format string, v ...any) { l.logger.Debug(fmt.Sprintf(format, v...)) }
func (l *serverLogger) Warnf(format string, v ...any)   { l.logger.Warn(fmt.Sprintf(format, v...)) }
func (l *serverLogger) Debugf(format string, v ...any)  { l.logger.Debug(fmt.Sprintf(format, v...)) }
func (l *serverLogger) Tracef(format string, v ...any)  { l.logger.Debug(fmt.Sprintf(format, v...)) }
func (l *serverLogger) Errorf(format string, v ...any)  { l.error(fmt.Sprintf(format, v...)) }
func (l *serverLogger) Fatalf(format string, v ...any)  { l.error(fmt.Sprintf(format, v...)) }

func (l *serverLogger) error(message string) {
	l.logger.Error(message)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = message
}

func (l *serverLogger) lastError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

var _ server.Logger = (*serverLogger)(nil)

// withoutURL drops from err what a URL that does not parse puts into it: the URL, and with it a password.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("the NATS address is not a URL: %w", u.Err)
	}
	return err
}
