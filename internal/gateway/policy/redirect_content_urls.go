package policy

import (
	"strings"

	"github.com/hubgate/hubgate/internal/gateway/transform"
)

// redirectContentURLs is the redirect-content-urls policy (redirect-content-urls-policy).
type redirectContentURLs struct{ response bool }

func newRedirectContentURLs(b *Builder) Policy {
	b.needsBody()
	return &redirectContentURLs{response: b.response}
}

// GatewayURL is the address under which the client reached the API: scheme, host, and the API's suffix.
func (x *Exchange) GatewayURL() string {
	scheme := "http"
	if x.Inbound.TLS != nil {
		scheme = "https"
	}
	u := scheme + "://" + x.Inbound.Host
	if x.API != nil && x.API.Suffix() != "" {
		u += "/" + x.API.Suffix()
	}
	return u
}

// Run replaces the backend's address in a response by the gateway's, in the body and in Location; in a request the other way round.
func (r *redirectContentURLs) Run(x *Exchange) (Outcome, error) {
	if x.Request.Backend == nil {
		return Continue, nil
	}
	backend := *x.Request.Backend
	backend.RawQuery = ""
	from, to := backend.String(), x.GatewayURL()
	if !r.response {
		from, to = to, from
	}
	body, header := x.message(r.response)
	for _, name := range []string{"Location", "Content-Location"} {
		for i, v := range header[name] {
			if r.response {
				header[name][i] = string(transform.ReplaceLinks([]byte(v), from, to))
			}
		}
	}
	if body.Length() == 0 || !isText(mediaType(header)) {
		return Continue, nil
	}
	if strings.EqualFold(mediaType(header), "text/event-stream") {
		return Continue, nil // A stream has no end that could be waited for.
	}
	data, ok, err := readDecoded(body, header)
	if err != nil {
		return End, err
	}
	if !ok {
		return Continue, nil
	}
	if replaced := transform.ReplaceLinks(data, from, to); string(replaced) != string(data) {
		x.replace(r.response, replaced)
	}
	return Continue, nil
}
