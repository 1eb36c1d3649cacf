// Package telemetry makes the log, the metrics registry and the health answers of a node.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// LogOptions says what is logged and how.
type LogOptions struct {
	// Level is debug, info, warn or error; "" means info.
	Level string
	// Format is text or json; "" means text.
	Format string
}

// NewLogger makes a logger that writes to w and redacts secrets, see [Redact].
func NewLogger(w io.Writer, o LogOptions) (*slog.Logger, error) {
	var level slog.Level
	switch strings.ToLower(o.Level) {
	case "debug":
		level = slog.LevelDebug
	case "", "info":
		level = slog.LevelInfo
	case "warn":
		level = slog.LevelWarn
	case "error":
		level = slog.LevelError
	default:
		return nil, fmt.Errorf("log level %q is none of debug, info, warn, error", o.Level)
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: Redact}
	switch strings.ToLower(o.Format) {
	case "", "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("log format %q is none of text, json", o.Format)
}
