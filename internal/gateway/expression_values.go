package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/cache"
	"github.com/hubgate/hubgate/internal/gateway/expr"
	"github.com/hubgate/hubgate/internal/gateway/policy"
)

// The first byte of an encoded value says what it is. New kinds get new bytes: other nodes may have stored with an older version.
const (
	encodedNull     = 'n'
	encodedTrue     = 't'
	encodedFalse    = 'f'
	encodedString   = 's'
	encodedBytes    = 'b'
	encodedInt      = 'i'
	encodedLong     = 'l'
	encodedDouble   = 'd'
	encodedResponse = 'r'
	encodedOther    = 'o' // a type of the table below: its name, a zero byte, and its text
)

// otherTypes are the types that are kept as text: how expressions write and read them.
var otherTypes = map[string]struct{ write, read string }{
	"System.Decimal":               {`((decimal)value).ToString()`, `decimal.Parse(text)`},
	"System.Single":                {`((float)value).ToString("R")`, `float.Parse(text)`},
	"System.Byte":                  {`value.ToString()`, `byte.Parse(text)`},
	"System.Int16":                 {`value.ToString()`, `short.Parse(text)`},
	"System.UInt32":                {`value.ToString()`, `uint.Parse(text)`},
	"System.UInt64":                {`value.ToString()`, `ulong.Parse(text)`},
	"System.Char":                  {`value.ToString()`, `text[0]`},
	"System.Guid":                  {`value.ToString()`, `Guid.Parse(text)`},
	"System.DateTime":              {`((DateTime)value).ToString("o")`, `DateTime.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind)`},
	"System.DateTimeOffset":        {`((DateTimeOffset)value).ToString("o")`, `DateTimeOffset.Parse(text)`},
	"System.TimeSpan":              {`((TimeSpan)value).ToString("c")`, `TimeSpan.Parse(text)`},
	"System.Uri":                   {`((Uri)value).AbsoluteUri`, `new Uri(text)`},
	"System.String[]":              {`JsonConvert.SerializeObject(value)`, `JsonConvert.DeserializeObject<string[]>(text)`},
	"System.Int32[]":               {`JsonConvert.SerializeObject(value)`, `JsonConvert.DeserializeObject<int[]>(text)`},
	"Newtonsoft.Json.Linq.JObject": {`((JObject)value).ToString(Formatting.None)`, `JObject.Parse(text)`},
	"Newtonsoft.Json.Linq.JArray":  {`((JArray)value).ToString(Formatting.None)`, `JArray.Parse(text)`},
	"Newtonsoft.Json.Linq.JValue":  {`((JValue)value).ToString(Formatting.None)`, `JToken.Parse(text)`},
	"System.Xml.Linq.XElement":     {`((XElement)value).ToString(SaveOptions.DisableFormatting)`, `XElement.Parse(text, LoadOptions.PreserveWhitespace)`},
	"System.Xml.Linq.XDocument":    {`((XDocument)value).ToString(SaveOptions.DisableFormatting)`, `XDocument.Parse(text, LoadOptions.PreserveWhitespace)`},
}

// valueCodec encodes the values of variables for caches. What comes out is a copy, so that no request changes another's value.
type valueCodec struct {
	expressions *expressions

	mu       sync.Mutex
	programs map[string]*expr.Program
}

func newValueCodec(c *expressions) *valueCodec {
	return &valueCodec{expressions: c, programs: map[string]*expr.Program{}}
}

// Encode turns a value into bytes. Values without a text form, such as lambdas, are an error.
func (c *valueCodec) Encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return []byte{encodedNull}, nil
	case bool:
		if v {
			return []byte{encodedTrue}, nil
		}
		return []byte{encodedFalse}, nil
	case string:
		return append([]byte{encodedString}, v...), nil
	case []byte:
		return append([]byte{encodedBytes}, v...), nil
	case int32:
		return binary.AppendVarint([]byte{encodedInt}, int64(v)), nil
	case int64:
		return binary.AppendVarint([]byte{encodedLong}, v), nil
	case float64:
		return binary.BigEndian.AppendUint64([]byte{encodedDouble}, math.Float64bits(v)), nil
	case *policy.Response:
		body, err := v.Body.Bytes()
		if err != nil {
			return nil, err
		}
		r := cache.Response{Status: v.Status, Stored: time.Now(), Header: v.Header, Body: body}
		return r.AppendTo([]byte{encodedResponse}), nil
	}
	name := expr.TypeName(c.expressions.env, v)
	how, ok := otherTypes[name]
	if !ok {
		return nil, fmt.Errorf("a value of the type %s cannot be kept; store its text", name)
	}
	text, err := c.convert("return "+how.write+";", "value", v)
	if err != nil {
		return nil, err
	}
	s, ok := text.(string)
	if !ok {
		return nil, fmt.Errorf("a value of the type %s has no text", name)
	}
	return append(append(append([]byte{encodedOther}, name...), 0), s...), nil
}

var errNotAValue = errors.New("the cache's entry is not a value")

// Decode turns bytes into the value that they were made of.
func (c *valueCodec) Decode(b []byte) (any, error) {
	if len(b) == 0 {
		return nil, errNotAValue
	}
	data := b[1:]
	switch b[0] {
	case encodedNull:
		return nil, nil
	case encodedTrue, encodedFalse:
		return b[0] == encodedTrue, nil
	case encodedString:
		return string(data), nil
	case encodedBytes:
		return append([]byte(nil), data...), nil
	case encodedInt, encodedLong:
		n, size := binary.Varint(data)
		if size != len(data) || size <= 0 {
			return nil, errNotAValue
		}
		if b[0] == encodedInt {
			return int32(n), nil
		}
		return n, nil
	case encodedDouble:
		if len(data) != 8 {
			return nil, errNotAValue
		}
		return math.Float64frombits(binary.BigEndian.Uint64(data)), nil
	case encodedResponse:
		r, err := cache.DecodeResponse(data)
		if err != nil {
			return nil, err
		}
		response := &policy.Response{Status: r.Status, Header: r.Header}
		response.Body.Set(r.Body)
		return response, nil
	case encodedOther:
		for i := range data {
			if data[i] != 0 {
				continue
			}
			how, ok := otherTypes[string(data[:i])]
			if !ok {
				return nil, errNotAValue
			}
			return c.convert("return "+how.read+";", "text", string(data[i+1:]))
		}
	}
	return nil, errNotAValue
}

// conversionTime bounds a conversion; the sizes of values are bounded by the cache.
const conversionTime = 2 * time.Second

// convert runs an expression over a local variable with this name.
func (c *valueCodec) convert(source, name string, v any) (any, error) {
	declared := "object"
	if name == "text" {
		declared = "string"
	}
	source = fmt.Sprintf("%s %s = (%s)context.Variables[%q]; %s", declared, name, declared, name, source)
	c.mu.Lock()
	program := c.programs[source]
	if program == nil {
		var err error
		if program, err = expr.Compile(source, expr.Statements, c.expressions.env); err != nil {
			c.mu.Unlock()
			return nil, err
		}
		c.programs[source] = program
	}
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), conversionTime)
	defer cancel()
	result, err := program.Eval(ctx, &expr.Context{Variables: expr.VariableMap{name: v}})
	if err != nil {
		return nil, asEvaluationError(err)
	}
	return fromExpression(result), nil
}

var _ policy.ValueCodec = (*valueCodec)(nil)
