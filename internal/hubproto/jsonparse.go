package hubproto

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// objectReader reads the members of a JSON object one by one. The first fault ends it and stays in err.
type objectReader struct {
	text    []byte // the object's text, from which raw values are cut
	buffer  bytes.Buffer
	decoder jsontext.Decoder
	name    []byte // the name of the current member; its value is read next
	err     error
}

// lenient is what the JSON reader lets pass; see openObject.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// openObject begins to read the object at the start of text. What follows it is passed over, as ASP.NET Core does.
//
// Names that occur twice are allowed, the last counting, and so are lone surrogates that are written as escapes inside
// the application's values: JavaScript sends both. Bytes that are not UTF-8 are refused, for they would break the text
// frame that carries the value on.
func openObject(text []byte) (*objectReader, error) {
	found, err := scanObject(text)
	if err != nil {
		return nil, err
	}
	text = text[:found.end:found.end]
	if !utf8.Valid(text) {
		return nil, malformed("the message is not UTF-8")
	}
	o := &objectReader{text: text, buffer: *bytes.NewBuffer(text)}
	o.decoder.Reset(&o.buffer, lenient)
	if _, err := o.decoder.ReadToken(); err != nil {
		return nil, syntax(err)
	}
	return o, nil
}

// fail keeps the first fault.
func (o *objectReader) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

// next goes to the next member of the current object. At the end it leaves the object and reports false, and so it does
// after a fault.
func (o *objectReader) next() bool {
	if o.err != nil {
		return false
	}
	if o.decoder.PeekKind() == '}' {
		if _, err := o.decoder.ReadToken(); err != nil {
			o.fail(syntax(err))
		}
		return false
	}
	raw := o.raw()
	if o.err != nil {
		return false
	}
	o.name = raw[1 : len(raw)-1]
	if bytes.IndexByte(o.name, '\\') >= 0 {
		name, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			name = nil // No known name holds a lone surrogate.
		}
		o.name = name
	}
	return true
}

// raw reads the next value as it stands in the text.
func (o *objectReader) raw() RawValue {
	if o.err != nil {
		return nil
	}
	value, err := o.decoder.ReadValue()
	if err != nil {
		o.fail(syntax(err))
		return nil
	}
	end := int(o.decoder.InputOffset())
	return o.text[end-len(value) : end : end]
}

func (o *objectReader) skip() {
	if o.err == nil {
		if err := o.decoder.SkipValue(); err != nil {
			o.fail(syntax(err))
		}
	}
}

// null reads the next value when it is null, and reports whether it was.
func (o *objectReader) null() bool {
	if o.err != nil || o.decoder.PeekKind() != 'n' {
		return false
	}
	o.skip()
	return o.err == nil
}

// kind fails unless the next value is of kind k.
func (o *objectReader) kind(k jsontext.Kind, what string) bool {
	if o.err != nil {
		return false
	}
	if o.decoder.PeekKind() != k {
		o.fail(malformed("%q is not %s", o.name, what))
		return false
	}
	return true
}

func (o *objectReader) string() string {
	if !o.kind('"', "a string") {
		return ""
	}
	raw := o.raw()
	if o.err != nil {
		return ""
	}
	if inside := raw[1 : len(raw)-1]; bytes.IndexByte(inside, '\\') < 0 {
		return string(inside)
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		o.fail(malformed("%q holds half a surrogate pair", o.name))
		return ""
	}
	return string(text)
}

func (o *objectReader) int(bits int) int64 {
	if !o.kind('0', "a number") {
		return 0
	}
	raw := o.raw()
	if o.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(string(raw), 10, bits)
	if err != nil {
		o.fail(malformed("%q is not an integer of %d bits", o.name, bits))
	}
	return n
}

func (o *objectReader) bool() bool {
	if o.err != nil {
		return false
	}
	switch kind := o.decoder.PeekKind(); kind {
	case 't', 'f':
		o.skip()
		return kind == 't'
	}
	o.fail(malformed("%q is not true or false", o.name))
	return false
}

// array reads an array by calling item for each of its values, which item reads.
func (o *objectReader) array(item func()) {
	if !o.kind('[', "an array") {
		return
	}
	if _, err := o.decoder.ReadToken(); err != nil {
		o.fail(syntax(err))
		return
	}
	for o.err == nil && o.decoder.PeekKind() != ']' {
		item()
	}
	if o.err == nil {
		if _, err := o.decoder.ReadToken(); err != nil {
			o.fail(syntax(err))
		}
	}
}

func (o *objectReader) rawArray() []RawValue {
	values := make([]RawValue, 0, 4)
	o.array(func() { values = append(values, o.raw()) })
	return values
}

func (o *objectReader) stringArray() []string {
	values := []string{}
	o.array(func() { values = append(values, o.string()) })
	return values
}

func (o *objectReader) stringMap() map[string]string {
	if !o.kind('{', "an object") {
		return nil
	}
	if _, err := o.decoder.ReadToken(); err != nil {
		o.fail(syntax(err))
		return nil
	}
	var values map[string]string
	for o.next() {
		name := string(o.name)
		value := o.string()
		if values == nil {
			values = make(map[string]string)
		}
		values[name] = value
	}
	return values
}

// parseJSON reads a JSON message. The rules are those of ASP.NET Core's JsonHubProtocol: known fields are checked
// whatever the type of the message, and only then those that the type requires.
func parseJSON(message []byte) (*Message, error) {
	o, err := openObject(message)
	if err != nil {
		return nil, err
	}
	var m Message
	var hasType, hasArguments, hasItem, hasSequence bool
	for o.next() {
		switch string(o.name) {
		case "type":
			m.Type, hasType = MessageType(o.int(32)), true
		case "invocationId":
			m.InvocationID = o.string()
		case "target":
			m.Target = o.string()
		case "arguments":
			m.Arguments, hasArguments = o.rawArray(), true
		case "streamIds":
			m.StreamIDs = o.stringArray()
		case "item":
			m.Item, hasItem = o.raw(), true
		case "result":
			m.Result, m.HasResult = o.raw(), true
		case "error":
			m.Error, m.HasError = o.string(), true
		case "allowReconnect":
			m.AllowReconnect = o.bool()
		case "sequenceId":
			m.SequenceID, hasSequence = o.int(64), true
		case "headers":
			m.Headers = o.stringMap()
		default:
			o.skip()
		}
	}
	if o.err != nil {
		return nil, o.err
	}
	if !hasType {
		return nil, errNoType
	}
	m.HasInvocationID = m.InvocationID != ""
	missing := ""
	switch m.Type {
	case Invocation, StreamInvocation:
		switch {
		case m.Type == StreamInvocation && !m.HasInvocationID:
			missing = "invocationId"
		case !hasArguments:
			missing = "arguments"
		case m.Target == "":
			missing = "target"
		}
	case StreamItem:
		switch {
		case !m.HasInvocationID:
			missing = "invocationId"
		case !hasItem:
			missing = "item"
		}
	case Completion, CancelInvocation:
		if !m.HasInvocationID {
			missing = "invocationId"
		}
	case Ack, Sequence:
		if !hasSequence {
			missing = "sequenceId"
		}
	}
	if missing != "" {
		return nil, malformed("%v message: %q is missing", m.Type, missing)
	}
	if m.Type == Completion && m.HasError && m.HasResult {
		return nil, malformed(`Completion message: "error" and "result" exclude each other`)
	}
	return m.trimmed(), nil
}

// trimmed returns m with the fields alone that its type has, so that a field which a sender added to the wrong type
// never has an effect.
func (m *Message) trimmed() *Message {
	t := &Message{Type: m.Type}
	switch m.Type {
	case Invocation, StreamInvocation:
		t.Target, t.Arguments, t.StreamIDs = m.Target, m.Arguments, m.StreamIDs
	case StreamItem:
		t.Item = m.Item
	case Completion:
		t.Result, t.HasResult, t.Error, t.HasError = m.Result, m.HasResult, m.Error, m.HasError
	case Close:
		t.Error, t.HasError, t.AllowReconnect = m.Error, m.HasError, m.AllowReconnect
	case Ack, Sequence:
		t.SequenceID = m.SequenceID
	}
	switch m.Type {
	case Invocation, StreamItem, Completion, StreamInvocation, CancelInvocation:
		t.InvocationID, t.HasInvocationID, t.Headers = m.InvocationID, m.HasInvocationID, m.Headers
	}
	return t
}
