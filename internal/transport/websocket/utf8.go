package websocket

import "unicode/utf8"

// textCheck checks text that arrives in pieces (RFC 6455, section 8.1). It keeps the beginning of a rune that was cut.
type textCheck struct {
	tail [utf8.UTFMax]byte
	n    int
}

// ok takes the next piece; false means that the text is not UTF-8.
func (t *textCheck) ok(p []byte) bool {
	for t.n > 0 && len(p) > 0 {
		t.tail[t.n] = p[0]
		t.n++
		p = p[1:]
		if utf8.FullRune(t.tail[:t.n]) {
			if r, _ := utf8.DecodeRune(t.tail[:t.n]); r == utf8.RuneError && !isReplacement(t.tail[:t.n]) {
				return false
			}
			t.n = 0
		}
	}
	if t.n > 0 {
		return true
	}
	// A rune cut at the end is kept for the next piece.
	cut := len(p)
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if c := p[len(p)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(p[len(p)-i:]) {
				cut = len(p) - i
			}
			break
		}
	}
	t.n = copy(t.tail[:], p[cut:])
	return utf8.Valid(p[:cut])
}

// isReplacement tells U+FFFD that was really sent from a decoding error.
func isReplacement(b []byte) bool { return len(b) == 3 && b[0] == 0xef && b[1] == 0xbf && b[2] == 0xbd }

// whole reports whether no rune is left open, as the end of a message demands.
func (t *textCheck) whole() bool { return t.n == 0 }
