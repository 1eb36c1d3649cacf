package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is written as a number with a unit: 500ms, 15s, 2m, 1h30m.
type Duration time.Duration

// Std is the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String is the duration as it is written.
func (d Duration) String() string { return time.Duration(d).String() }

func (d *Duration) setScalar(text string) error {
	v, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is not a duration; write a number with a unit, like 500ms, 15s or 2m", text)
	}
	if v < 0 {
		return errors.New("a duration must not be negative")
	}
	*d = Duration(v)
	return nil
}

// Size is a number of bytes, written as a whole number with or without a unit: 65536, 64KiB, 16MiB, 1GiB.
type Size int64

func (s *Size) setScalar(text string) error {
	number, shift := text, 0
	for unit, bits := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30} {
		if n, ok := strings.CutSuffix(text, unit); ok {
			number, shift = strings.TrimRight(n, " "), bits
		}
	}
	v, err := strconv.ParseInt(number, 10, 64)
	if err != nil || v < 0 || v > math.MaxInt64>>shift {
		return fmt.Errorf("%q is not a size; write a whole number of bytes, or one with KiB, MiB or GiB", text)
	}
	*s = Size(v << shift)
	return nil
}

// Secret is a text that is never shown. It is written as itself, or as a reference:
//
//	primaryKey: the text
//	primaryKey: {file: /run/secrets/key}   # without a newline at its end
//	primaryKey: {env: ASRS1_KEY}
//
// A relative file is meant from the directory of the configuration file.
type Secret struct {
	// File is the file that holds the text.
	File string `yaml:"file"`
	// Env is the environment variable that holds the text.
	Env string `yaml:"env"`

	text string
}

// NewSecret is a secret with its text.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal is the text. It must not reach a log or an error.
func (s Secret) Reveal() string { return s.text }

// IsSet says whether there is a text.
func (s Secret) IsSet() bool { return s.text != "" }

const redacted = "[redacted]"

// String hides the text.
func (s Secret) String() string { return redacted }

// GoString hides the text from %#v.
func (s Secret) GoString() string { return redacted }

// LogValue hides the text from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the text from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func (s *Secret) setScalar(text string) error {
	s.text = text
	return nil
}

// Policy is a policy document, written as its text or as a reference to a file:
//
//	policy: |
//	  <policies>…</policies>
//	policy: {file: policies/chat.xml, format: xml}
//
// A relative file is meant from the directory of the configuration file.
type Policy struct {
	// File is the file that holds the document.
	File string `yaml:"file"`
	// Format is rawxml, with expressions as they are typed, or xml, with their special characters escaped. Default: rawxml.
	Format string `yaml:"format"`
	// Text is the document, when it has no file.
	Text string `yaml:"text"`
}

func (p *Policy) setScalar(text string) error {
	p.Text = text
	return nil
}
