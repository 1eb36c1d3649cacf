package match

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// Clean resolves the . and .. segments of an escaped path, written plainly or as %2e, as RFC 3986 §5.2.4 does, so that
// no request leaves its API's suffix on its way to the backend. A path without them comes back as it is.
func Clean(path string) string {
	if !hasDots(path) {
		return path
	}
	var kept []string
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch dots(s) {
		case 1:
			if last {
				kept = append(kept, "")
			}
		case 2:
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, s)
		}
	}
	return "/" + strings.Join(kept, "/")
}

// hasDots says whether any segment may be . or ..; a false alarm costs time only.
func hasDots(path string) bool {
	for i := 0; i+1 < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		if path[i+1] == '.' || path[i+1] == '%' && i+3 < len(path) && path[i+2] == '2' && path[i+3]|0x20 == 'e' {
			return true
		}
	}
	return false
}

// dots is 1 for a . segment, 2 for .. and 0 for any other.
func dots(segment string) int {
	n := 0
	for segment != "" {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= 3 && segment[0] == '%' && segment[1] == '2' && segment[2]|0x20 == 'e':
			segment = segment[3:]
		default:
			return 0
		}
		if n++; n > 2 {
			return 0
		}
	}
	return n
}

// LongSegment says whether a segment of the path is longer than [MaxSegment].
func LongSegment(path string) bool {
	if len(path) <= MaxSegment {
		return false
	}
	for at := 0; at < len(path); {
		i := strings.IndexByte(path[at:], '/')
		if i < 0 {
			return len(path)-at > MaxSegment
		}
		if i > MaxSegment {
			return true
		}
		at += i + 1
	}
	return false
}

// nextSegment returns the segment after the slash at path[at] and the position of the slash after it, or the path's end.
func nextSegment(path string, at int) (segment string, next int) {
	start := at + 1
	if i := strings.IndexByte(path[start:], '/'); i >= 0 {
		return path[start : start+i], start + i
	}
	return path[start:], len(path)
}

// cutRevision takes ;rev=N off the end of a segment.
func cutRevision(segment string) (base, revision string, ok bool) {
	i := strings.LastIndex(segment, ";rev=")
	if i < 0 {
		return segment, "", false
	}
	revision = segment[i+len(";rev="):]
	if revision == "" || len(revision) > 9 {
		return segment, "", false
	}
	for j := range len(revision) {
		if revision[j] < '0' || revision[j] > '9' {
			return segment, "", false
		}
	}
	return segment[:i], revision, true
}

// lower returns the segment decoded and in lower case, in memory of m that the next call writes over.
func (m *Match) lower(s string) []byte {
	buf := m.scratch[:0]
	plain := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%' || c >= utf8.RuneSelf:
			plain = false
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		buf = append(buf, c)
	}
	m.scratch = buf
	if plain {
		return buf
	}
	// Rare, so the allocations do not matter.
	decoded, err := url.PathUnescape(s)
	if err != nil {
		decoded = s
	}
	m.scratch = append(buf[:0], strings.ToLower(decoded)...)
	return m.scratch
}

// queryValue is the raw value of the first query parameter with this name, compared without regard to case. The name
// itself is decoded and in lower case where the caller compiled it.
func queryValue(rawQuery, name string) (string, bool) {
	for rawQuery != "" {
		var pair string
		pair, rawQuery, _ = strings.Cut(rawQuery, "&")
		key, value, _ := strings.Cut(pair, "=")
		if len(key) != len(name) && strings.IndexByte(key, '%') < 0 {
			continue
		}
		if strings.EqualFold(decode(key, true), name) {
			return value, true
		}
	}
	return "", false
}
