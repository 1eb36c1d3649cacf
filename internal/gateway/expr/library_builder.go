package expr

import "strings"

// stringBuilder is System.Text.StringBuilder. Text is kept as a string while it is ASCII-only appends, so Append is cheap.
type stringBuilder struct{ out builder }

func (s *stringBuilder) typeIn(e *Environment) *netType { return e.named("StringBuilder") }
func (s *stringBuilder) text(*machine) string           { return s.out.String() }

func (s *stringBuilder) replaceAll(m *machine, text string) {
	s.out.Reset()
	s.out.write(m, text)
}

// textReader is System.IO.StringReader.
type textReader struct{ rest string }

func (r *textReader) typeIn(e *Environment) *netType { return e.named("StringReader") }

// textWriter is System.IO.StringWriter.
type textWriter struct{ stringBuilder }

func (w *textWriter) typeIn(e *Environment) *netType { return e.named("StringWriter") }

// builders declares StringBuilder, StringReader and StringWriter.
func (b *library) builders() {
	b.on("StringBuilder")
	create := func(m *machine, text string) Value {
		s := &stringBuilder{}
		s.out.write(m, text)
		return s
	}
	b.native("new()", func(m *machine, _ []Value) Value { return create(m, "") })
	b.native("new(int capacity)", func(m *machine, _ []Value) Value { return create(m, "") })
	b.native("new(string value)", func(m *machine, a []Value) Value { return create(m, optionalText(a[0])) })
	b.native("new(string value, int capacity)", func(m *machine, a []Value) Value { return create(m, optionalText(a[0])) })
	b.property("int Length", func(v Value) Value { return int32(lengthOf(v.(*stringBuilder).out.String())) })
	b.set("Length", nativeFunc(func(m *machine, a []Value) Value {
		s := a[0].(*stringBuilder)
		text, n := s.out.String(), intOf(a[1])
		if n < 0 {
			throwOutOfRange("Length must be non-negative.", "value")
		}
		if have := lengthOf(text); n > have {
			s.out.write(m, repeat(m, "\x00", n-have))
			return nil
		}
		text, _ = slice(text, 0, n)
		s.replaceAll(m, text)
		return nil
	}))
	b.property("int Capacity", func(v Value) Value { return int32(v.(*stringBuilder).out.Cap()) })
	b.method("char this[int index]", func(a []Value) Value {
		c, ok := charAt(a[0].(*stringBuilder).out.String(), intOf(a[1]))
		if !ok {
			throwIndexOutOfRange()
		}
		return c
	})
	b.set("this", nativeFunc(func(m *machine, a []Value) Value {
		s := a[0].(*stringBuilder)
		units := utf16Units(s.out.String())
		if i := intOf(a[1]); i < 0 || i >= len(units) {
			throwOutOfRange(indexMessage, "index")
		}
		units[intOf(a[1])] = uint16(a[2].(Char))
		s.replaceAll(m, fromUnits(units))
		return nil
	}))
	for _, k := range []string{"string", "char", "bool", "sbyte", "byte", "short", "ushort", "int", "uint", "long", "ulong", "float", "double", "decimal", "object", "StringBuilder"} {
		b.native("StringBuilder Append("+k+" value)", func(m *machine, a []Value) Value {
			a[0].(*stringBuilder).out.write(m, m.text(a[1]))
			return a[0]
		})
		b.native("StringBuilder Insert(int index, "+k+" value)", func(m *machine, a []Value) Value {
			s := a[0].(*stringBuilder)
			text, at := s.out.String(), intOf(a[1])
			head, ok := slice(text, 0, at)
			if !ok {
				throwOutOfRange("Index was out of range. Must be non-negative and less than or equal to the size of the collection.", "index")
			}
			tail, _ := slice(text, at, lengthOf(text))
			s.replaceAll(m, head+m.text(a[2])+tail)
			return a[0]
		})
	}
	b.native("StringBuilder Append(char[] value)", func(m *machine, a []Value) Value {
		if a[1] != nil {
			a[0].(*stringBuilder).out.write(m, fromUnits(unitsOf(m, a[1])))
		}
		return a[0]
	})
	b.native("StringBuilder Append(char value, int repeatCount)", func(m *machine, a []Value) Value {
		a[0].(*stringBuilder).out.write(m, repeat(m, encodeUnit(rune(a[1].(Char))), intOf(a[2])))
		return a[0]
	})
	b.native("StringBuilder Append(string value, int startIndex, int count)", func(m *machine, a []Value) Value {
		part, ok := slice(optionalText(a[1]), intOf(a[2]), intOf(a[2])+intOf(a[3]))
		if !ok {
			throwOutOfRange(indexMessage, "startIndex")
		}
		a[0].(*stringBuilder).out.write(m, part)
		return a[0]
	})
	b.native("StringBuilder AppendLine()", func(m *machine, a []Value) Value { a[0].(*stringBuilder).out.write(m, "\n"); return a[0] })
	b.native("StringBuilder AppendLine(string value)", func(m *machine, a []Value) Value {
		a[0].(*stringBuilder).out.write(m, optionalText(a[1])+"\n")
		return a[0]
	})
	b.native("StringBuilder AppendFormat(string format, params object[] args)", func(m *machine, a []Value) Value {
		a[0].(*stringBuilder).out.write(m, m.formatComposite(textArgument(a[1], "format"), collect(m, a[2])))
		return a[0]
	})
	b.native("StringBuilder AppendFormat(IFormatProvider provider, string format, params object[] args)", func(m *machine, a []Value) Value {
		a[0].(*stringBuilder).out.write(m, m.formatComposite(textArgument(a[2], "format"), collect(m, a[3])))
		return a[0]
	})
	b.native("StringBuilder AppendJoin(string separator, params object[] values)", func(m *machine, a []Value) Value {
		a[0].(*stringBuilder).out.write(m, concatAll(m, a[2], optionalText(a[1])).(string))
		return a[0]
	})
	b.native("StringBuilder AppendJoin<T>(string separator, IEnumerable<T> values)", func(m *machine, a []Value) Value {
		a[0].(*stringBuilder).out.write(m, concatAll(m, a[2], optionalText(a[1])).(string))
		return a[0]
	})
	b.native("StringBuilder Replace(string oldValue, string newValue)", func(m *machine, a []Value) Value {
		s := a[0].(*stringBuilder)
		old := textArgument(a[1], "oldValue")
		if old == "" {
			throw("ArgumentException", "Empty name is not legal. (Parameter 'oldValue')")
		}
		s.replaceAll(m, replaceText(m, s.out.String(), old, optionalText(a[2]), false))
		return a[0]
	})
	b.native("StringBuilder Replace(char oldChar, char newChar)", func(m *machine, a []Value) Value {
		s := a[0].(*stringBuilder)
		s.replaceAll(m, replaceText(m, s.out.String(), encodeUnit(rune(a[1].(Char))), encodeUnit(rune(a[2].(Char))), false))
		return a[0]
	})
	b.native("StringBuilder Remove(int startIndex, int length)", func(m *machine, a []Value) Value {
		s := a[0].(*stringBuilder)
		text, from := s.out.String(), intOf(a[1])
		to := from + intOf(a[2])
		n := lengthOf(text)
		if from < 0 || to < from || to > n {
			throwOutOfRange("Index was out of range. Must be non-negative and less than the size of the collection.", "length")
		}
		head, _ := slice(text, 0, from)
		tail, _ := slice(text, to, n)
		s.replaceAll(m, head+tail)
		return a[0]
	})
	b.method("StringBuilder Clear()", func(a []Value) Value { a[0].(*stringBuilder).out.Reset(); return a[0] })
	b.native("string ToString(int startIndex, int length)", func(_ *machine, a []Value) Value {
		s, ok := slice(a[0].(*stringBuilder).out.String(), intOf(a[1]), intOf(a[1])+intOf(a[2]))
		if !ok {
			throwOutOfRange(indexMessage, "startIndex")
		}
		return s
	})
	b.readers()
}

func (b *library) readers() {
	b.on("StringReader")
	b.native("new(string s)", func(_ *machine, a []Value) Value { return &textReader{textArgument(a[0], "s")} })
	b.on("TextReader")
	b.native("string ReadLine()", func(m *machine, a []Value) Value {
		r := a[0].(*textReader)
		if r.rest == "" {
			return nil
		}
		m.step(1)
		i := strings.IndexAny(r.rest, "\r\n")
		if i < 0 {
			line := r.rest
			r.rest = ""
			return line
		}
		line, rest := r.rest[:i], r.rest[i+1:]
		if r.rest[i] == '\r' {
			rest = strings.TrimPrefix(rest, "\n")
		}
		r.rest = rest
		return line
	})
	b.method("string ReadToEnd()", func(a []Value) Value {
		r := a[0].(*textReader)
		s := r.rest
		r.rest = ""
		return s
	})
	next := func(take bool) func(a []Value) Value {
		return func(a []Value) Value {
			r := a[0].(*textReader)
			c, ok := charAt(r.rest, 0)
			if !ok {
				return int32(-1)
			}
			if take {
				r.rest, _ = slice(r.rest, 1, lengthOf(r.rest))
			}
			return int32(c)
		}
	}
	b.method("int Read()", next(true))
	b.method("int Peek()", next(false))
	b.on("StringWriter")
	b.native("new()", func(*machine, []Value) Value { return &textWriter{} })
	b.on("TextWriter")
	for _, k := range []string{"string", "char", "bool", "int", "long", "double", "decimal", "object"} {
		b.native("void Write("+k+" value)", func(m *machine, a []Value) Value { a[0].(*textWriter).out.write(m, m.text(a[1])); return nil })
		b.native("void WriteLine("+k+" value)", func(m *machine, a []Value) Value { a[0].(*textWriter).out.write(m, m.text(a[1])+"\n"); return nil })
	}
	b.native("void WriteLine()", func(m *machine, a []Value) Value { a[0].(*textWriter).out.write(m, "\n"); return nil })
	b.native("void Write(string format, params object[] args)", func(m *machine, a []Value) Value {
		a[0].(*textWriter).out.write(m, m.formatComposite(textArgument(a[1], "format"), collect(m, a[2])))
		return nil
	})
}
