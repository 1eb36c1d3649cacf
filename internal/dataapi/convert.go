package dataapi

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"
)

// maxDepth bounds how deep values may be nested, as in ASP.NET Core's JSON.
const maxDepth = 64

// appendMessagePack writes a JSON value as MessagePack. A number without a fraction and an exponent becomes an integer where one has room for
// it, every other number a float64; text stays text.
func appendMessagePack(b []byte, value jsontext.Value) ([]byte, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(value))
	return appendNext(b, d, 0)
}

// appendNext writes the next value of d, which is known to be valid JSON.
func appendNext(b []byte, d *jsontext.Decoder, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, invalid("body", "values are nested deeper than %d levels", maxDepth)
	}
	token, err := d.ReadToken()
	if err != nil {
		return nil, badJSON("body", err)
	}
	switch token.Kind() {
	case 'n':
		return msgp.AppendNil(b), nil
	case 't', 'f':
		return msgp.AppendBool(b, token.Bool()), nil
	case '"':
		return msgp.AppendString(b, token.String()), nil
	case '0':
		return appendNumber(b, token.String()), nil
	}
	// The length of an array or a map stands in front of it, so what is in it is written behind first.
	end := jsontext.Kind(']')
	isMap := token.Kind() == '{'
	if isMap {
		end = '}'
	}
	var inner []byte
	count := uint32(0)
	for d.PeekKind() != end {
		if inner, err = appendNext(inner, d, depth+1); err != nil {
			return nil, err
		}
		count++
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, badJSON("body", err)
	}
	if isMap {
		b = msgp.AppendMapHeader(b, count/2)
	} else {
		b = msgp.AppendArrayHeader(b, count)
	}
	return append(b, inner...), nil
}

func appendNumber(b []byte, text string) []byte {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && text != "-0" {
		return msgp.AppendInt64(b, n)
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return msgp.AppendUint64(b, n)
	}
	f, _ := strconv.ParseFloat(text, 64) // what is out of range becomes infinite, as in .NET
	return msgp.AppendFloat64(b, f)
}

var errMessagePack = errors.New("the value is not valid MessagePack")

// appendJSON writes the first MessagePack value of raw as JSON and returns what follows it. What JSON has no form for is written as .NET does:
// binary as base64, a time as ISO 8601, and numbers that are none as text.
func appendJSON(b, raw []byte, depth int) (text, rest []byte, err error) {
	if depth > maxDepth || len(raw) == 0 {
		return nil, nil, errMessagePack
	}
	switch msgp.NextType(raw) {
	case msgp.NilType:
		rest, err = msgp.ReadNilBytes(raw)
		b = append(b, "null"...)
	case msgp.BoolType:
		var v bool
		v, rest, err = msgp.ReadBoolBytes(raw)
		b = strconv.AppendBool(b, v)
	case msgp.IntType:
		var v int64
		v, rest, err = msgp.ReadInt64Bytes(raw)
		b = strconv.AppendInt(b, v, 10)
	case msgp.UintType:
		var v uint64
		v, rest, err = msgp.ReadUint64Bytes(raw)
		b = strconv.AppendUint(b, v, 10)
	case msgp.Float32Type:
		var v float32
		v, rest, err = msgp.ReadFloat32Bytes(raw)
		b = appendFloat(b, float64(v), 32)
	case msgp.Float64Type:
		var v float64
		v, rest, err = msgp.ReadFloat64Bytes(raw)
		b = appendFloat(b, v, 64)
	case msgp.StrType:
		var v []byte
		v, rest, err = msgp.ReadStringZC(raw)
		b = appendText(b, string(v))
	case msgp.BinType:
		var v []byte
		v, rest, err = msgp.ReadBytesZC(raw)
		b = appendText(b, base64.StdEncoding.EncodeToString(v))
	case msgp.TimeType:
		var v time.Time
		v, rest, err = msgp.ReadTimeBytes(raw)
		b = appendText(b, v.UTC().Format(time.RFC3339Nano))
	case msgp.ArrayType:
		return appendArray(b, raw, depth)
	case msgp.MapType:
		return appendObject(b, raw, depth)
	default:
		return appendExtension(b, raw)
	}
	if err != nil {
		return nil, nil, errMessagePack
	}
	return b, rest, nil
}

func appendFloat(b []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(b, `"-Infinity"`...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, bits)
}

func appendArray(b, raw []byte, depth int) (text, rest []byte, err error) {
	n, rest, err := msgp.ReadArrayHeaderBytes(raw)
	if err != nil {
		return nil, nil, errMessagePack
	}
	b = append(b, '[')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		if b, rest, err = appendJSON(b, rest, depth+1); err != nil {
			return nil, nil, err
		}
	}
	return append(b, ']'), rest, nil
}

func appendObject(b, raw []byte, depth int) (text, rest []byte, err error) {
	n, rest, err := msgp.ReadMapHeaderBytes(raw)
	if err != nil {
		return nil, nil, errMessagePack
	}
	b = append(b, '{')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		var key []byte
		switch msgp.NextType(rest) {
		case msgp.StrType:
			b, rest, err = appendJSON(b, rest, depth+1)
		case msgp.MapType, msgp.ArrayType:
			// Text in text doubles with each level what has to be escaped.
			return nil, nil, errMessagePack
		default:
			if key, rest, err = appendJSON(nil, rest, depth+1); err == nil {
				b = appendText(b, string(key)) // a name in JSON is text
			}
		}
		if err != nil {
			return nil, nil, err
		}
		b = append(b, ':')
		if b, rest, err = appendJSON(b, rest, depth+1); err != nil {
			return nil, nil, err
		}
	}
	return append(b, '}'), rest, nil
}

// timestampExtension is the type of MessagePack's own time.
const timestampExtension = -1

// appendExtension writes the bytes of an application's own type.
func appendExtension(b, raw []byte) (text, rest []byte, err error) {
	if t, after, err := readTimestamp(raw); err == nil {
		return appendText(b, t.UTC().Format(time.RFC3339Nano)), after, nil
	}
	rest, err = msgp.Skip(raw)
	if err != nil {
		return nil, nil, errMessagePack
	}
	return appendText(b, base64.StdEncoding.EncodeToString(raw[:len(raw)-len(rest)])), rest, nil
}

// readTimestamp reads the three forms of MessagePack's time.
func readTimestamp(raw []byte) (t time.Time, rest []byte, err error) {
	var ext msgp.RawExtension
	ext.Type = timestampExtension
	rest, err = msgp.ReadExtensionBytes(raw, &ext)
	if err != nil || ext.Type != timestampExtension {
		return t, nil, errMessagePack
	}
	u64 := func(b []byte) (n uint64) {
		for _, x := range b {
			n = n<<8 | uint64(x)
		}
		return n
	}
	switch d := ext.Data; len(d) {
	case 4:
		t = time.Unix(int64(u64(d)), 0)
	case 8:
		n := u64(d)
		t = time.Unix(int64(n&(1<<34-1)), int64(n>>34))
	case 12:
		t = time.Unix(int64(u64(d[4:])), int64(u64(d[:4])))
	default:
		return t, nil, errMessagePack
	}
	return t, rest, nil
}
