package telemetry

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"
)

// Redacted stands in the place of a secret.
const Redacted = "[redacted]"

// secretNames are the names, in lower case and without '-', '_' and '.', of attributes, headers, query parameters and
// properties whose value is a secret.
var secretNames = map[string]bool{
	"accesskey":                 true,
	"accesstoken":               true,
	"admintoken":                true,
	"authorization":             true,
	"clientsecret":              true,
	"connectionstring":          true,
	"cookie":                    true,
	"connectiontoken":           true,
	"ocpapimsubscriptionkey":    true,
	"password":                  true,
	"primaryconnectionstring":   true,
	"primarykey":                true,
	"proxyauthorization":        true,
	"secondaryconnectionstring": true,
	"secondarykey":              true,
	"secret":                    true,
	"setcookie":                 true,
	"subscriptionkey":           true,
	"token":                     true,
	"xmsclientprincipal":        true,
}

var namePunctuation = strings.NewReplacer("-", "", "_", "", ".", "")

func isSecretName(name string) bool {
	return secretNames[strings.ToLower(namePunctuation.Replace(name))]
}

// Secrets inside a text: a query parameter, a header as it is written, a property of a connection string or of JSON, a bearer token, a
// JSON Web Token by its own look, and the user part of a URL.
var secretTexts = []struct {
	pattern *regexp.Regexp
	replace string
}{
	{regexp.MustCompile(`(?i)\b(authorization|proxy-authorization|cookie|set-cookie|ocp-apim-subscription-key)(["']?\s*[:=]\s*)[^\r\n]+`), "${1}${2}" + Redacted},
	{regexp.MustCompile(`(?i)\b(access_token|accesstoken|accesskey|admintoken|clientsecret|client_secret|subscription-key|primarykey|secondarykey|connectiontoken|password)(["']?\s*[:=]\s*["']?)[^\s&;,"'\[][^\s&;,"']*`), "${1}${2}" + Redacted},
	{regexp.MustCompile(`(?i)\b(bearer|basic|sharedaccesssignature)\s+[A-Za-z0-9+/_.~=-]{8,}`), "${1} " + Redacted},
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*`), Redacted},
	{regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://)[^/\s"'@]+@`), "${1}" + Redacted + "@"},
}

// RedactText takes what looks like a secret out of a text.
func RedactText(text string) string {
	for _, s := range secretTexts {
		text = s.pattern.ReplaceAllString(text, s.replace)
	}
	return text
}

// Redact takes secrets out of an attribute of a log record, the message included: the value whole where the name says that it is a
// secret, and what looks like one inside other values. It is a last line of defence; a secret should not be given to the log in the first place.
// It has the form of [slog.HandlerOptions.ReplaceAttr].
func Redact(groups []string, a slog.Attr) slog.Attr {
	if isSecretName(a.Key) || len(groups) > 0 && isSecretName(groups[len(groups)-1]) {
		return slog.String(a.Key, Redacted)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, RedactText(a.Value.String()))
	case slog.KindAny:
		a.Value = redactAny(a.Value.Any())
	}
	return a
}

// redactAny looks at a value as both handlers may write it. When that shows a secret, the redacted text takes the value's place.
func redactAny(v any) slog.Value {
	switch v := v.(type) {
	case nil, slog.Level, *slog.Source, time.Time:
		return slog.AnyValue(v)
	case error:
		return slog.StringValue(RedactText(v.Error()))
	case []byte:
		return slog.StringValue(RedactText(string(v)))
	case fmt.Stringer:
		return slog.StringValue(RedactText(v.String()))
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		return slog.StringValue(RedactText(fmt.Sprintf("%+v", v)))
	}
	var tree any
	if json.Unmarshal(encoded, &tree) != nil {
		return slog.StringValue(RedactText(string(encoded)))
	}
	if tree, changed := redactTree(tree); changed {
		return slog.AnyValue(tree)
	}
	if text := fmt.Sprintf("%+v", v); RedactText(text) != text {
		return slog.StringValue(RedactText(text))
	}
	return slog.AnyValue(v)
}

// redactTree redacts decoded JSON in place and says whether there was anything to do.
func redactTree(v any) (redacted any, changed bool) {
	switch v := v.(type) {
	case string:
		text := RedactText(v)
		return text, text != v
	case []any:
		for i := range v {
			item, c := redactTree(v[i])
			v[i], changed = item, changed || c
		}
		return v, changed
	case map[string]any:
		for name := range v {
			if isSecretName(name) {
				v[name], changed = Redacted, true
				continue
			}
			item, c := redactTree(v[name])
			v[name], changed = item, changed || c
		}
		return v, changed
	}
	return v, false
}
