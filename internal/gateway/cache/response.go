package cache

import (
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"time"
)

// Response is a response as it is cached.
type Response struct {
	Status int
	Stored time.Time // to the second
	Header http.Header
	Body   []byte
}

// responseFormat is the first byte of an encoded response. A node that knows another format takes the entry for none.
const responseFormat = 1

// AppendTo appends the response in the form that [DecodeResponse] reads.
func (r *Response) AppendTo(b []byte) []byte {
	b = append(b, responseFormat)
	b = binary.AppendUvarint(b, uint64(r.Status))
	b = binary.AppendVarint(b, r.Stored.Unix())
	lines := 0
	names := make([]string, 0, len(r.Header))
	for name, values := range r.Header {
		names = append(names, name)
		lines += len(values)
	}
	slices.Sort(names)
	b = binary.AppendUvarint(b, uint64(lines))
	for _, name := range names {
		for _, v := range r.Header[name] {
			b = appendText(appendText(b, name), v)
		}
	}
	return append(b, r.Body...)
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

var errNotAResponse = errors.New("the cache's entry is not a response")

// DecodeResponse reads what [Response.AppendTo] wrote. The body shares the bytes.
func DecodeResponse(b []byte) (*Response, error) {
	d := decoder{rest: b}
	if d.byte() != responseFormat {
		return nil, errNotAResponse
	}
	r := &Response{Status: int(d.uvarint()), Stored: time.Unix(d.varint(), 0), Header: http.Header{}}
	for lines := d.uvarint(); lines > 0 && !d.broken; lines-- {
		name := d.text()
		r.Header[name] = append(r.Header[name], d.text())
	}
	if d.broken || r.Status < 100 || r.Status > 999 {
		return nil, errNotAResponse
	}
	r.Body = d.rest
	return r, nil
}

type decoder struct {
	rest   []byte
	broken bool
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.broken = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	return take(d, v, n)
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	return take(d, v, n)
}

func take[T any](d *decoder, v T, n int) T {
	if n <= 0 {
		var zero T
		d.broken = true
		return zero
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) text() string {
	n := d.uvarint()
	if d.broken || n > uint64(len(d.rest)) {
		d.broken = true
		return ""
	}
	text := string(d.rest[:n])
	d.rest = d.rest[n:]
	return text
}
