package svcproto

import (
	"errors"

	"github.com/tinylib/msgp/msgp"
)

// The keys of extension maps.
const (
	keyTracingID       = 1
	keyTTL             = 2
	keyProtocol        = 3
	keyFilter          = 4
	keyDataMessageType = 5
	keyPartial         = 6
)

// keys is a set of extension keys: bit n stands for key n.
type keys uint

// Which keys a message type may carry. To write any other desynchronises the SDKs' readers, so each Append and Decode
// names its set.
const (
	keysNone       keys = 0
	keysTracing    keys = 1 << keyTracingID
	keysTTL        keys = keysTracing | 1<<keyTTL
	keysProtocol   keys = keysTracing | 1<<keyProtocol
	keysSend       keys = keysTracing | 1<<keyFilter
	keysClientData keys = keysTracing | 1<<keyDataMessageType | 1<<keyPartial
)

// errNilMap is for an extension map that is nil, which no reader takes for an empty one.
var errNilMap = errors.New("must be a map, not nil")

// extension holds what extension maps may hold. Zero values are absent.
type extension struct {
	tracingID       uint64
	ttl             OptionalInt
	protocol        string
	filter          []byte
	dataMessageType DataMessageType
	partial         bool
}

// extension reads the extension map and takes the allowed keys from it; it skips all others.
func (r *reader) extension(allowed keys) (e extension) {
	const field = "extension map"
	if r.err != nil {
		return e
	}
	if msgp.IsNil(r.rest) {
		r.fail(field, errNilMap)
		return e
	}
	for range r.takeMap(field) {
		key := r.takeInt("extension key")
		if key < 0 || key > keyPartial || allowed&(1<<key) == 0 {
			r.skip("extension value")
		} else {
			r.extensionValue(&e, key)
		}
		if r.err != nil {
			return extension{}
		}
	}
	r.next++
	return e
}

// extensionValue reads the value of one known key.
func (r *reader) extensionValue(e *extension, key int) {
	if r.err != nil {
		return
	}
	switch key {
	case keyTracingID:
		v, rest, err := msgp.ReadUint64Bytes(r.rest)
		if err != nil {
			r.fail("tracing id", err)
			return
		}
		e.tracingID, r.rest = v, rest
	case keyTTL:
		e.ttl = SomeInt(r.takeInt("ttl"))
	case keyProtocol:
		e.protocol = ""
		if !r.takeNil() {
			e.protocol = string(r.takeText("protocol"))
		}
	case keyFilter:
		e.filter = nil
		if !r.takeNil() {
			e.filter = r.takeText("filter")
		}
	case keyDataMessageType:
		e.dataMessageType = DataMessageType(r.takeInt("data message type"))
	case keyPartial:
		v, rest, err := msgp.ReadBoolBytes(r.rest)
		if err != nil {
			r.fail("partial", err)
			return
		}
		e.partial, r.rest = v, rest
	}
}

// appendNoExtension adds an empty extension map, which is never left out.
func appendNoExtension(dst []byte) []byte { return append(dst, 0x80) }

// appendTracing adds an extension map that holds at most a tracing id.
func appendTracing(dst []byte, tracingID uint64) []byte {
	if tracingID == 0 {
		return appendNoExtension(dst)
	}
	return msgp.AppendUint64(append(dst, 0x81, keyTracingID), tracingID)
}

// appendExtension adds an extension map in the order of the keys. The caller sets only what its message type allows.
func appendExtension(dst []byte, e extension) []byte {
	at := len(dst)
	dst = append(dst, 0x80)
	if e.tracingID != 0 {
		dst[at]++
		dst = msgp.AppendUint64(append(dst, keyTracingID), e.tracingID)
	}
	if e.ttl.Valid {
		dst[at]++
		dst = appendInt(append(dst, keyTTL), int64(e.ttl.Value))
	}
	if e.protocol != "" {
		dst[at]++
		dst = msgp.AppendString(append(dst, keyProtocol), e.protocol)
	}
	if e.filter != nil {
		dst[at]++
		dst = msgp.AppendStringFromBytes(append(dst, keyFilter), e.filter)
	}
	if e.dataMessageType != DataMessageTypeUnknown {
		dst[at]++
		dst = appendInt(append(dst, keyDataMessageType), int64(e.dataMessageType))
	}
	if e.partial {
		dst[at]++
		dst = msgp.AppendBool(append(dst, keyPartial), true)
	}
	return dst
}
