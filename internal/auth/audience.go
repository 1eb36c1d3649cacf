package auth

import (
	"net/url"
	"slices"
	"strings"
)

// CheckClientAudience reports whether the token was made for clients of hub: whether one of its audiences is a URL with
// the path /client or /client/ and exactly one query parameter hub that is this hub, without regard to case. Scheme,
// host and port are free, because an instance behind a gateway has several names; so are other parameters. The error is
// an *Error.
func (t *Token) CheckClientAudience(hub string) error { return t.checkHub("/client", hub) }

// CheckServerAudience is CheckClientAudience for an app server's connection: its path is /server or /server/.
func (t *Token) CheckServerAudience(hub string) error { return t.checkHub("/server", hub) }

func (t *Token) checkHub(path, hub string) error {
	for _, text := range t.Audience {
		a, ok := parseAudience(text)
		if !ok || a.path != path && a.path != path+"/" {
			continue
		}
		query, err := url.ParseQuery(a.query)
		if err != nil {
			continue
		}
		if hubs := query["hub"]; len(hubs) == 1 && hub != "" && strings.EqualFold(hubs[0], hub) {
			return nil
		}
	}
	return wrongAudience(t.Audience, path+"/?hub="+hub)
}

// CheckRESTAudience reports whether the token was made for a request of the data-plane REST API. rawPath is the path as
// it stands in the request line, still escaped; rawQuery is the query, without the question mark.
//
// Both documented forms of an audience are good: the URL without its query, and the URL with api-version and
// application, as the Management SDK signs it. In general every parameter that the audience has must be in the request,
// with the same value. A slash at the end does not matter; nor does the case of the hub, or how characters are escaped.
//
// The path is compared segment by segment as it is written, dot segments included: the Management SDK loses a group, a
// user or a connection named "." or ".." from the URL, so that its request would reach the whole hub, while the audience
// still names it. The error is an *Error.
func (t *Token) CheckRESTAudience(rawPath, rawQuery string) error {
	var request url.Values
	for _, text := range t.Audience {
		a, ok := parseAudience(text)
		if !ok || !samePath(a.path, rawPath) {
			continue
		}
		if a.query == "" {
			return nil
		}
		want, err := url.ParseQuery(a.query)
		if err != nil {
			continue
		}
		if request == nil {
			if request, err = url.ParseQuery(rawQuery); err != nil {
				break
			}
		}
		if contains(request, want) {
			return nil
		}
	}
	return wrongAudience(t.Audience, rawPath)
}

// contains reports whether all of want is in have.
func contains(have, want url.Values) bool {
	for name, values := range want {
		for _, value := range values {
			if !slices.Contains(have[name], value) {
				return false
			}
		}
	}
	return true
}

// audience is the URL that an audience is, cut as text. The packages that resolve URLs are of no use here: what matters
// is what its maker wrote.
type audience struct{ path, query string }

func parseAudience(text string) (audience, bool) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return audience{}, false
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	slash := strings.IndexByte(rest, '/')
	if slash <= 0 { // No path, or no host.
		return audience{}, false
	}
	return audience{rest[slash:], query}, true
}

// samePath compares two escaped paths segment by segment.
func samePath(a, b string) bool {
	as, bs := strings.Split(trimSlash(a), "/"), strings.Split(trimSlash(b), "/")
	if len(as) != len(bs) {
		return false
	}
	for i := range as {
		if as[i] == bs[i] {
			continue
		}
		x, errX := url.PathUnescape(as[i])
		y, errY := url.PathUnescape(bs[i])
		if errX != nil || errY != nil {
			return false
		}
		if x != y && !(isHubSegment(as, i) && strings.EqualFold(x, y)) {
			return false
		}
	}
	return true
}

func trimSlash(path string) string { return strings.TrimSuffix(path, "/") }

// isHubSegment reports whether segment i of a path that begins with a slash is the hub: /api/hubs/{hub},
// /api/v1/hubs/{hub}.
func isHubSegment(segments []string, i int) bool {
	return (i == 3 || i == 4) && segments[i-1] == "hubs" && segments[1] == "api"
}
