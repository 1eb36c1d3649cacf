package transform

import (
	"bytes"
	"strings"
)

// ReplaceLinks replaces each occurrence of the base URL from by to. An occurrence ends where a URL's authority or path segment
// ends, so that http://host/api does not match http://host/apiary. Links whose slashes JSON has escaped are found too.
func ReplaceLinks(body []byte, from, to string) []byte {
	from, to = strings.TrimRight(from, "/"), strings.TrimRight(to, "/")
	if from == "" || from == to {
		return body
	}
	body = replaceLinks(body, from, to)
	escape := func(s string) string { return strings.ReplaceAll(s, "/", `\/`) }
	return replaceLinks(body, escape(from), escape(to))
}

func replaceLinks(body []byte, from, to string) []byte {
	var out []byte
	done := 0
	for at := 0; ; {
		i := bytes.Index(body[at:], []byte(from))
		if i < 0 {
			break
		}
		end := at + i + len(from)
		if end == len(body) || bytes.IndexByte([]byte("/?#\\\"'<> \t\r\n,;)]}&"), body[end]) >= 0 {
			out = append(append(out, body[done:at+i]...), to...)
			done = end
		}
		at = end
	}
	if out == nil {
		return body
	}
	return append(out, body[done:]...)
}
