package svcproto

import (
	"encoding/binary"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// appendInt adds a number in its shortest form. Positive ones take the unsigned forms, as the SDKs write them.
func appendInt(dst []byte, n int64) []byte {
	if n >= 0 {
		return msgp.AppendUint64(dst, uint64(n))
	}
	return msgp.AppendInt64(dst, n)
}

// appendInt32 adds a number in the signed 32-bit form, whatever its size.
func appendInt32(dst []byte, n int32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(n))
}

// appendOptionalInt adds a number or nil.
func appendOptionalInt(dst []byte, n OptionalInt) []byte {
	if !n.Valid {
		return msgp.AppendNil(dst)
	}
	return appendInt(dst, int64(n.Value))
}

// appendOptionalText adds a text or nil.
func appendOptionalText(dst []byte, s OptionalString) []byte {
	if !s.Valid {
		return msgp.AppendNil(dst)
	}
	return msgp.AppendString(dst, s.Value)
}

// appendEmptyOrNil adds a text, or nil when it is empty and isNil asks for that form.
func appendEmptyOrNil(dst []byte, s string, isNil bool) []byte {
	if s == "" && isNil {
		return msgp.AppendNil(dst)
	}
	return msgp.AppendString(dst, s)
}

// appendViews adds a list of texts.
func appendViews(dst []byte, list [][]byte) []byte {
	dst = msgp.AppendArrayHeader(dst, uint32(len(list)))
	for _, v := range list {
		dst = msgp.AppendStringFromBytes(dst, v)
	}
	return dst
}

// appendTexts adds a list of texts.
func appendTexts(dst []byte, list []string) []byte {
	dst = msgp.AppendArrayHeader(dst, uint32(len(list)))
	for _, v := range list {
		dst = msgp.AppendString(dst, v)
	}
	return dst
}

// appendPayloads adds a map from hub protocol to data.
func appendPayloads(dst []byte, payloads []Payload) []byte {
	dst = msgp.AppendMapHeader(dst, uint32(len(payloads)))
	for i := range payloads {
		dst = msgp.AppendStringFromBytes(dst, payloads[i].Protocol)
		dst = msgp.AppendBytes(dst, payloads[i].Data)
	}
	return dst
}

// appendClaims adds a map of claims, repeated keys included.
func appendClaims(dst []byte, claims []Claim) []byte {
	dst = msgp.AppendMapHeader(dst, uint32(len(claims)))
	for i := range claims {
		dst = msgp.AppendString(dst, claims[i].Type)
		dst = msgp.AppendString(dst, claims[i].Value)
	}
	return dst
}

// appendHeaders adds a map from header name to values.
func appendHeaders(dst []byte, headers []Header) []byte {
	dst = msgp.AppendMapHeader(dst, uint32(len(headers)))
	for i := range headers {
		dst = msgp.AppendString(dst, headers[i].Name)
		dst = appendTexts(dst, headers[i].Values)
	}
	return dst
}

// appendTime adds a timestamp in the shortest of its three forms (MessagePack specification, "Timestamp extension type").
func appendTime(dst []byte, t time.Time) []byte {
	seconds, nanoseconds := t.Unix(), uint64(t.Nanosecond())
	switch {
	case seconds>>32 == 0 && nanoseconds == 0:
		return binary.BigEndian.AppendUint32(append(dst, 0xd6, 0xff), uint32(seconds))
	case seconds>>34 == 0:
		return binary.BigEndian.AppendUint64(append(dst, 0xd7, 0xff), nanoseconds<<34|uint64(seconds))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xc7, 12, 0xff), uint32(nanoseconds))
		return binary.BigEndian.AppendUint64(dst, uint64(seconds))
	}
}

// The functions below estimate sizes in bytes for the hint of begin. A little too much does no harm.

func textHint(n int) int { return n + 2 }

func tracingHint(tracingID uint64) int {
	if tracingID == 0 {
		return 1
	}
	return 11
}

func filterHint(filter []byte) int {
	if filter == nil {
		return 0
	}
	return len(filter) + 6
}

func viewsHint(list [][]byte) int {
	n := 3
	for _, v := range list {
		n += len(v) + 2
	}
	return n
}

func payloadsHint(payloads []Payload) int {
	n := 1
	for i := range payloads {
		n += len(payloads[i].Protocol) + len(payloads[i].Data) + 6
	}
	return n
}
