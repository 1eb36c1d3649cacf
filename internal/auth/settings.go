package auth

import (
	"strconv"
	"strings"
	"time"
)

// Transports is a set of transports, with the bits of asrs.s.htt.
type Transports uint8

// The transports, and all of them.
const (
	WebSockets       Transports = 1
	ServerSentEvents Transports = 2
	LongPolling      Transports = 4
	AllTransports               = WebSockets | ServerSentEvents | LongPolling
)

// Has reports whether all of want are in the set.
func (t Transports) Has(want Transports) bool { return t&want == want }

// Sticky says how much a client connection wants the app server that it was negotiated by.
type Sticky uint8

// The sticky modes.
const (
	// StickyDisabled: any app server will do.
	StickyDisabled Sticky = iota
	// StickyPreferred: that app server if it is there, else any.
	StickyPreferred
	// StickyRequired: that app server and no other.
	StickyRequired
)

// String is the mode's name in the token.
func (s Sticky) String() string {
	switch s {
	case StickyPreferred:
		return "Preferred"
	case StickyRequired:
		return "Required"
	}
	return "Disabled"
}

// Settings are what an app server asks of the service for one client, in claims whose names begin with "asrs.s.".
type Settings struct {
	// HandshakeTimeout is how long the client may take for the handshake (asrs.s.cht), from 1 to 30 seconds; 15 unless
	// the token says otherwise.
	HandshakeTimeout time.Duration
	// MaxPollInterval is how long the service waits for the next poll of a long-polling client (asrs.s.ttl), from 1 to
	// 300 seconds; 0 when the token does not say.
	MaxPollInterval time.Duration
	// Transports are those that the client may be offered (asrs.s.htt).
	Transports Transports
	// ServerID is the app server that negotiated (asrs.s.sn), empty when the client is free to go to any.
	ServerID string
	// Sticky is how much the client wants that app server (asrs.s.ssticky).
	Sticky Sticky
	// Diagnostic marks a client whose traffic is to be traced (asrs.s.dc).
	Diagnostic bool
	// CloseOnExpiration asks to close the client at Expiration (asrs.s.coae).
	CloseOnExpiration bool
	// Expiration is when the user's authentication ends (asrs.s.aeo), or the token when that is not known. It is zero
	// when CloseOnExpiration is false.
	Expiration time.Time
	// DetailedErrors allows the client to be told details of errors (asrs.s.derror).
	DetailedErrors bool
}

const (
	defaultHandshakeTimeout = 15 * time.Second
	maxHandshakeTimeout     = 30 * time.Second
	maxMaxPollInterval      = 300 * time.Second
)

// Settings reads the settings out of the token's claims. A value out of its range counts as the nearest one within it,
// and one that cannot be read as absent: the service protocol knows no way to refuse them.
func (t *Token) Settings() Settings {
	s := Settings{
		HandshakeTimeout: defaultHandshakeTimeout,
		MaxPollInterval:  t.seconds("asrs.s.ttl", maxMaxPollInterval),
		Transports:       AllTransports,
		Diagnostic:       t.flag("asrs.s.dc"),
		DetailedErrors:   t.flag("asrs.s.derror"),
	}
	if timeout := t.seconds("asrs.s.cht", maxHandshakeTimeout); timeout != 0 {
		s.HandshakeTimeout = timeout
	}
	if mask, ok := t.number("asrs.s.htt"); ok {
		if allowed := Transports(mask) & AllTransports; allowed != 0 {
			s.Transports = allowed
		}
	}
	if mode, _ := t.First("asrs.s.ssticky"); mode != "" {
		if id, _ := t.First("asrs.s.sn"); id != "" {
			switch {
			case strings.EqualFold(mode, "Preferred"):
				s.ServerID, s.Sticky = id, StickyPreferred
			case strings.EqualFold(mode, "Required"):
				s.ServerID, s.Sticky = id, StickyRequired
			}
		}
	}
	if t.flag("asrs.s.coae") {
		s.CloseOnExpiration = true
		s.Expiration = t.Expires
		if at, ok := t.number("asrs.s.aeo"); ok {
			s.Expiration = time.Unix(min(max(at, 0), lastSecond), 0).UTC()
		}
	}
	return s
}

func (t *Token) number(name string) (int64, bool) {
	text, _ := t.First(name)
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n, err == nil
}

// seconds reads a number of seconds from 1 to most, 0 when there is none.
func (t *Token) seconds(name string, most time.Duration) time.Duration {
	n, ok := t.number(name)
	if !ok {
		return 0
	}
	return time.Duration(min(max(n, 1), int64(most/time.Second))) * time.Second
}

func (t *Token) flag(name string) bool {
	text, _ := t.First(name)
	return strings.EqualFold(text, "true")
}
