package policy

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"mime"
	"net/http"
	"strings"
)

// message is the body and the header that a statement of a section works on: the response's after the backend, else the request's.
func (x *Exchange) message(response bool) (*Body, http.Header) {
	if response {
		return &x.Response.Body, x.Response.Header
	}
	return &x.Request.Body, x.Request.Header
}

// needsBody notes that the statement reads the body of the message it works on.
func (b *Builder) needsBody() {
	if b.response {
		b.c.readsResponse = true
	}
}

// readDecoded is the body without its content coding: gzip and deflate are undone, so that statements see what the author of the
// document sees. ok is false when the body has a coding that is not known; the body is untouched then.
func readDecoded(body *Body, header http.Header) (data []byte, ok bool, err error) {
	coding := strings.ToLower(strings.TrimSpace(header.Get("Content-Encoding")))
	switch coding {
	case "", "identity", "gzip", "x-gzip", "deflate":
	default:
		return nil, false, nil
	}
	data, err = body.Bytes()
	if err != nil {
		return nil, false, bodyFailure(err)
	}
	if coding == "" || coding == "identity" || len(data) == 0 {
		return data, true, nil
	}
	var reader io.Reader
	if coding == "deflate" {
		reader, err = zlib.NewReader(bytes.NewReader(data))
	} else {
		reader, err = gzip.NewReader(bytes.NewReader(data))
	}
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(reader, MaxBuffered+1))
	}
	if err == nil && len(data) > MaxBuffered {
		err = ErrBodyTooLarge
	}
	if err != nil {
		return nil, false, bodyFailure(err)
	}
	return data, true, nil
}

func bodyFailure(err error) *Failure {
	return &Failure{Status: http.StatusInternalServerError, Reason: ReasonBodyFailure, Message: "The message body could not be read: " + err.Error(), Err: err}
}

// ReasonBodyFailure is the reason of failures of statements that cannot read or convert a body.
const ReasonBodyFailure = "MessageBodyFailure"

// replace makes data the body of a message. What described the old bytes goes.
func (x *Exchange) replace(response bool, data []byte) {
	body, header := x.message(response)
	body.Set(data)
	delete(header, "Content-Encoding")
	delete(header, "Content-Md5")
	if response {
		delete(header, "Etag")
		delete(header, "Accept-Ranges")
		x.Response.Trailer = nil
	}
}

// mediaType is the type of a message without its parameters, in lower case.
func mediaType(header http.Header) string {
	text := header.Get("Content-Type")
	if t, _, err := mime.ParseMediaType(text); err == nil {
		return t
	}
	t, _, _ := strings.Cut(text, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

func isJSON(mediaType string) bool {
	return mediaType == "application/json" || mediaType == "text/json" || strings.HasSuffix(mediaType, "+json")
}

func isXML(mediaType string) bool {
	return mediaType == "application/xml" || mediaType == "text/xml" || strings.HasSuffix(mediaType, "+xml")
}

// isText says whether links and texts may be looked for in a body of the type.
func isText(mediaType string) bool {
	return isJSON(mediaType) || isXML(mediaType) || strings.HasPrefix(mediaType, "text/") || strings.HasSuffix(mediaType, "javascript") ||
		mediaType == "application/x-www-form-urlencoded" || mediaType == ""
}

// accepts says whether the client's Accept header names a type for which is is true. Wildcards name none.
func (x *Exchange) accepts(is func(mediaType string) bool) bool {
	for _, line := range x.Inbound.Header["Accept"] {
		for part := range strings.SplitSeq(line, ",") {
			t, parameters, _ := strings.Cut(part, ";")
			if is(strings.ToLower(strings.TrimSpace(t))) && !strings.HasPrefix(strings.ReplaceAll(parameters, " ", ""), "q=0;") && strings.ReplaceAll(parameters, " ", "") != "q=0" {
				return true
			}
		}
	}
	return false
}
