package appserver

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// maxDepth bounds the nesting of MessagePack values both ways, so that neither a client nor a pointer cycle exhausts the stack.
const maxDepth = 64

var (
	errTooDeep = fmt.Errorf("the value is nested more than %d deep", maxDepth)

	timeType            = reflect.TypeFor[time.Time]()
	byteType            = reflect.TypeFor[byte]()
	anyType             = reflect.TypeFor[any]()
	textMarshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// msgpackCodec writes and reads Go values as MessagePack. It keeps what it learned of struct types.
type msgpackCodec struct {
	structs sync.Map // reflect.Type to []structField
}

// structField is one field of a struct as MessagePack has it.
type structField struct {
	name      string
	index     []int
	omitEmpty bool
}

// fields lists the exported fields of struct type t, those of embedded structs among them unless a field nearer to the
// surface has the same name.
func (c *msgpackCodec) fields(t reflect.Type) []structField {
	if known, ok := c.structs.Load(t); ok {
		return known.([]structField)
	}
	var fields []structField
	for _, f := range reflect.VisibleFields(t) {
		tag := f.Tag.Get("msgpack")
		embedded := f.Anonymous && tag == "" && (f.Type.Kind() == reflect.Struct || f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct)
		if !f.IsExported() || tag == "-" || embedded {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		if slices.ContainsFunc(fields, func(other structField) bool { return other.name == name && len(other.index) <= len(f.Index) }) {
			continue
		}
		fields = append(fields, structField{name, f.Index, strings.Contains(options, "omitempty")})
	}
	known, _ := c.structs.LoadOrStore(t, fields)
	return known.([]structField)
}

// append writes v behind dst.
func (c *msgpackCodec) append(dst []byte, v any) ([]byte, error) {
	return c.appendValue(dst, reflect.ValueOf(v), 0)
}

func (c *msgpackCodec) appendValue(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if depth > maxDepth {
		return dst, errTooDeep
	}
	if !v.IsValid() {
		return msgp.AppendNil(dst), nil
	}
	t := v.Type()
	switch {
	case t == timeType:
		return msgp.AppendTimeExt(dst, v.Interface().(time.Time)), nil
	case t.Implements(textMarshalerType) && !(t.Kind() == reflect.Pointer && v.IsNil()):
		text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		return msgp.AppendStringFromBytes(dst, text), err
	}
	switch t.Kind() {
	case reflect.Bool:
		return msgp.AppendBool(dst, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return msgp.AppendInt64(dst, v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return msgp.AppendUint64(dst, v.Uint()), nil
	case reflect.Float32:
		return msgp.AppendFloat32(dst, float32(v.Float())), nil
	case reflect.Float64:
		return msgp.AppendFloat64(dst, v.Float()), nil
	case reflect.String:
		return msgp.AppendString(dst, v.String()), nil
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return msgp.AppendNil(dst), nil
		}
		return c.appendValue(dst, v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		return c.appendList(dst, v, depth)
	case reflect.Map:
		return c.appendMap(dst, v, depth)
	case reflect.Struct:
		return c.appendStruct(dst, v, depth)
	}
	return dst, fmt.Errorf("a value of type %s has no form in MessagePack", t)
}

func (c *msgpackCodec) appendList(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	if v.Type().Elem() == byteType {
		if v.Kind() == reflect.Array && !v.CanAddr() {
			copied := reflect.New(v.Type()).Elem()
			copied.Set(v)
			v = copied
		}
		return msgp.AppendBytes(dst, v.Bytes()), nil
	}
	dst = msgp.AppendArrayHeader(dst, uint32(v.Len()))
	for i := range v.Len() {
		if dst, err = c.appendValue(dst, v.Index(i), depth+1); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (c *msgpackCodec) appendMap(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	dst = msgp.AppendMapHeader(dst, uint32(v.Len()))
	keys := v.MapKeys()
	if v.Type().Key().Kind() == reflect.String { // Sorted, so that equal maps give equal bytes.
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	}
	for _, key := range keys {
		if dst, err = c.appendValue(dst, key, depth+1); err != nil {
			return dst, err
		}
		if dst, err = c.appendValue(dst, v.MapIndex(key), depth+1); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (c *msgpackCodec) appendStruct(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	fields := c.fields(v.Type())
	present := make([]reflect.Value, len(fields)) // invalid: left out
	count := 0
	for i, f := range fields {
		field, err := v.FieldByIndexErr(f.index)
		if err != nil || f.omitEmpty && field.IsZero() { // An error: the field is promoted through a nil pointer.
			continue
		}
		present[i] = field
		count++
	}
	dst = msgp.AppendMapHeader(dst, uint32(count))
	for i, f := range fields {
		if !present[i].IsValid() {
			continue
		}
		if dst, err = c.appendValue(msgp.AppendString(dst, f.name), present[i], depth+1); err != nil {
			return dst, fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	return dst, nil
}

// decode reads exactly one value into what target points to.
func (c *msgpackCodec) decode(raw []byte, target reflect.Value) error {
	rest, err := c.decodeValue(raw, target.Elem(), 0)
	if err == nil && len(rest) > 0 {
		return errors.New("there are bytes behind the value")
	}
	return err
}

func (c *msgpackCodec) decodeValue(b []byte, v reflect.Value, depth int) (_ []byte, err error) {
	if depth > maxDepth {
		return b, errTooDeep
	}
	t := v.Type()
	if msgp.NextType(b) == msgp.NilType {
		v.SetZero()
		return msgp.ReadNilBytes(b)
	}
	switch {
	case t == timeType:
		return decodeTime(b, v)
	case t.Kind() == reflect.Pointer:
		fresh := reflect.New(t.Elem())
		if b, err = c.decodeValue(b, fresh.Elem(), depth+1); err == nil {
			v.Set(fresh)
		}
		return b, err
	case reflect.PointerTo(t).Implements(textUnmarshalerType) && v.CanAddr() && msgp.NextType(b) == msgp.StrType:
		text, rest, err := msgp.ReadStringZC(b)
		if err != nil {
			return b, err
		}
		return rest, v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(text)
	}
	switch t.Kind() {
	case reflect.Bool:
		value, rest, err := msgp.ReadBoolBytes(b)
		v.SetBool(value)
		return rest, err
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		value, rest, err := msgp.ReadInt64Bytes(b)
		if err == nil && v.OverflowInt(value) {
			return b, fmt.Errorf("the number %d does not fit into %s", value, t)
		}
		v.SetInt(value)
		return rest, err
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		value, rest, err := msgp.ReadUint64Bytes(b)
		if err == nil && v.OverflowUint(value) {
			return b, fmt.Errorf("the number %d does not fit into %s", value, t)
		}
		v.SetUint(value)
		return rest, err
	case reflect.Float32, reflect.Float64:
		return decodeFloat(b, v)
	case reflect.String:
		value, rest, err := msgp.ReadStringBytes(b)
		v.SetString(value)
		return rest, err
	case reflect.Slice, reflect.Array:
		return c.decodeList(b, v, depth)
	case reflect.Map:
		return c.decodeMap(b, v, depth)
	case reflect.Struct:
		return c.decodeStruct(b, v, depth)
	case reflect.Interface:
		if t != anyType {
			return b, fmt.Errorf("a value cannot be decoded into the interface %s", t)
		}
		value, rest, err := c.decodeAny(b, depth)
		if err == nil {
			v.Set(reflect.ValueOf(&value).Elem())
		}
		return rest, err
	}
	return b, fmt.Errorf("a value cannot be decoded into the type %s", t)
}

// decodeFloat takes integers too: MessagePack writers in JavaScript write 2.0 as 2.
func decodeFloat(b []byte, v reflect.Value) ([]byte, error) {
	switch msgp.NextType(b) {
	case msgp.IntType:
		value, rest, err := msgp.ReadInt64Bytes(b)
		v.SetFloat(float64(value))
		return rest, err
	case msgp.UintType:
		value, rest, err := msgp.ReadUint64Bytes(b)
		v.SetFloat(float64(value))
		return rest, err
	case msgp.Float32Type:
		value, rest, err := msgp.ReadFloat32Bytes(b)
		v.SetFloat(float64(value))
		return rest, err
	}
	value, rest, err := msgp.ReadFloat64Bytes(b)
	v.SetFloat(value)
	return rest, err
}

// decodeTime takes the timestamp extension, and text as in JSON.
func decodeTime(b []byte, v reflect.Value) ([]byte, error) {
	if msgp.NextType(b) == msgp.StrType {
		text, rest, err := msgp.ReadStringZC(b)
		if err != nil {
			return b, err
		}
		value, err := time.Parse(time.RFC3339Nano, string(text))
		v.Set(reflect.ValueOf(value))
		return rest, err
	}
	value, rest, err := msgp.ReadTimeUTCBytes(b)
	v.Set(reflect.ValueOf(value))
	return rest, err
}

func (c *msgpackCodec) decodeList(b []byte, v reflect.Value, depth int) ([]byte, error) {
	if v.Type().Elem() == byteType && msgp.NextType(b) == msgp.BinType {
		bytes, rest, err := msgp.ReadBytesZC(b)
		if err != nil {
			return b, err
		}
		if v.Kind() == reflect.Array {
			if len(bytes) != v.Len() {
				return b, fmt.Errorf("%d bytes do not fit into %s", len(bytes), v.Type())
			}
			reflect.Copy(v, reflect.ValueOf(bytes))
			return rest, nil
		}
		v.SetBytes(slices.Clone(bytes))
		return rest, nil
	}
	size, b, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil {
		return b, err
	}
	if int(size) > len(b) { // An element has at least one byte, so nothing is allocated for a length that is a lie.
		return b, msgp.ErrShortBytes
	}
	if v.Kind() == reflect.Array {
		if int(size) != v.Len() {
			return b, fmt.Errorf("%d elements do not fit into %s", size, v.Type())
		}
	} else {
		v.Set(reflect.MakeSlice(v.Type(), 0, min(int(size), 1024)))
	}
	for i := range int(size) {
		if v.Kind() == reflect.Slice {
			if i == v.Cap() {
				v.Grow(1)
			}
			v.SetLen(i + 1)
			v.Index(i).SetZero()
		}
		if b, err = c.decodeValue(b, v.Index(i), depth+1); err != nil {
			return b, err
		}
	}
	return b, nil
}

func (c *msgpackCodec) decodeMap(b []byte, v reflect.Value, depth int) ([]byte, error) {
	size, b, err := msgp.ReadMapHeaderBytes(b)
	if err != nil {
		return b, err
	}
	if int(size) > len(b)/2 {
		return b, msgp.ErrShortBytes
	}
	t := v.Type()
	m := reflect.MakeMap(t)
	for range size {
		key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		if b, err = c.decodeValue(b, key, depth+1); err != nil {
			return b, err
		}
		if b, err = c.decodeValue(b, value, depth+1); err != nil {
			return b, err
		}
		if !key.Comparable() {
			return b, errors.New("a key of the map is an array or a map")
		}
		m.SetMapIndex(key, value)
	}
	v.Set(m)
	return b, nil
}

func (c *msgpackCodec) decodeStruct(b []byte, v reflect.Value, depth int) ([]byte, error) {
	size, b, err := msgp.ReadMapHeaderBytes(b)
	if err != nil {
		return b, err
	}
	if int(size) > len(b)/2 {
		return b, msgp.ErrShortBytes
	}
	fields := c.fields(v.Type())
	for range size {
		name, rest, err := msgp.ReadStringZC(b)
		if err != nil {
			return b, err
		}
		b = rest
		at := slices.IndexFunc(fields, func(f structField) bool { return f.name == string(name) })
		if at < 0 {
			at = slices.IndexFunc(fields, func(f structField) bool { return strings.EqualFold(f.name, string(name)) })
		}
		if at < 0 {
			if b, err = msgp.Skip(b); err != nil {
				return b, err
			}
			continue
		}
		field, err := fieldByIndex(v, fields[at].index)
		if err != nil {
			return b, err
		}
		if b, err = c.decodeValue(b, field, depth+1); err != nil {
			return b, fmt.Errorf("field %s: %w", fields[at].name, err)
		}
	}
	return b, nil
}

// fieldByIndex is v's field, with the embedded pointers on the way to it allocated.
func fieldByIndex(v reflect.Value, index []int) (reflect.Value, error) {
	for i, at := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				if !v.CanSet() {
					return v, fmt.Errorf("the embedded pointer %s is not exported", v.Type())
				}
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(at)
	}
	return v, nil
}

// decodeAny reads a value whose Go type nobody named: nil, bool, int64, uint64 above that, float64, string, []byte,
// time.Time, []any or map[string]any.
func (c *msgpackCodec) decodeAny(b []byte, depth int) (any, []byte, error) {
	if depth > maxDepth {
		return nil, b, errTooDeep
	}
	read := func(target reflect.Value) (any, []byte, error) {
		rest, err := c.decodeValue(b, target.Elem(), depth)
		return target.Elem().Interface(), rest, err
	}
	switch kind := msgp.NextType(b); kind {
	case msgp.NilType:
		rest, err := msgp.ReadNilBytes(b)
		return nil, rest, err
	case msgp.BoolType:
		return read(reflect.ValueOf(new(bool)))
	case msgp.IntType:
		return read(reflect.ValueOf(new(int64)))
	case msgp.UintType:
		value, rest, err := msgp.ReadUint64Bytes(b)
		if err == nil && value <= 1<<63-1 {
			return int64(value), rest, nil
		}
		return value, rest, err
	case msgp.Float32Type, msgp.Float64Type:
		return read(reflect.ValueOf(new(float64)))
	case msgp.StrType:
		return read(reflect.ValueOf(new(string)))
	case msgp.BinType:
		return read(reflect.ValueOf(new([]byte)))
	case msgp.TimeType:
		return read(reflect.ValueOf(new(time.Time)))
	case msgp.ArrayType:
		return read(reflect.ValueOf(new([]any)))
	case msgp.MapType:
		return read(reflect.ValueOf(new(map[string]any)))
	default:
		// The library has a kind for times of its own form only, not for the timestamp of the specification in each of its lengths.
		if bytes.HasPrefix(b, timestamp32) || bytes.HasPrefix(b, timestamp64) || bytes.HasPrefix(b, timestamp96) {
			return read(reflect.ValueOf(new(time.Time)))
		}
		return nil, b, fmt.Errorf("a value of the MessagePack kind %v is not supported", kind)
	}
}

// How the three lengths of a timestamp begin (MessagePack specification, "Timestamp extension type").
var (
	timestamp32 = []byte{0xd6, 0xff}
	timestamp64 = []byte{0xd7, 0xff}
	timestamp96 = []byte{0xc7, 12, 0xff}
)
