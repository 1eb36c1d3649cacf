package expr

import (
	"math"
	"strings"
	"time"
	_ "time/tzdata" // The names of time zones must not depend on the machine.
)

// now is the current time in ticks.
func now() int64 { return ticksOf(time.Now().UTC()) }

// dates declares System.DateTime.
func (b *library) dates() {
	b.on("DateTime").add("static DateTime MinValue", DateTime{}).add("static DateTime MaxValue", DateTime{ticks: maxTicks}).add("static DateTime UnixEpoch", DateTime{unixTicks, utcKind})
	b.current.zero = func() Value { return DateTime{} }
	b.native("static DateTime Now", func(*machine, []Value) Value { return DateTime{now(), localKind} })
	b.native("static DateTime UtcNow", func(*machine, []Value) Value { return DateTime{now(), utcKind} })
	b.native("static DateTime Today", func(*machine, []Value) Value { t := now(); return DateTime{t - t%ticksPerDay, localKind} })
	args := []string{"int year, int month, int day", ", int hour, int minute, int second", ", int millisecond", ", DateTimeKind kind"}
	at := func(a []Value, i int) int {
		if i < len(a) {
			return intOf(a[i])
		}
		return 0
	}
	for _, n := range []int{3, 6, 7} {
		list := args[0]
		if n > 3 {
			list += args[1]
		}
		if n > 6 {
			list += args[2]
		}
		b.method("new("+list+")", func(a []Value) Value {
			return makeDate(at(a, 0), at(a, 1), at(a, 2), at(a, 3), at(a, 4), at(a, 5), at(a, 6), unspecified)
		})
		if n > 3 {
			b.method("new("+list+args[3]+")", func(a []Value) Value {
				d := makeDate(at(a, 0), at(a, 1), at(a, 2), at(a, 3), at(a, 4), at(a, 5), 0, dateKindOf(a[n]))
				if n > 6 {
					d.ticks += int64(at(a, 6)) * ticksPerMillisecond
				}
				return d
			})
		}
	}
	fromTicks := func(v Value, kind dateKind) Value {
		n := v.(int64)
		if n < 0 || n > maxTicks {
			throwOutOfRange("Ticks must be between DateTime.MinValue.Ticks and DateTime.MaxValue.Ticks.", "ticks")
		}
		return DateTime{n, kind}
	}
	b.method("new(long ticks)", func(a []Value) Value { return fromTicks(a[0], unspecified) })
	b.method("new(long ticks, DateTimeKind kind)", func(a []Value) Value { return fromTicks(a[0], dateKindOf(a[1])) })
	get := func(name string, part func(t time.Time) int) {
		b.property("int "+name, func(v Value) Value { return int32(part(goTime(v.(DateTime).ticks))) })
	}
	get("Year", time.Time.Year)
	get("Month", func(t time.Time) int { return int(t.Month()) })
	get("Day", time.Time.Day)
	get("Hour", time.Time.Hour)
	get("Minute", time.Time.Minute)
	get("Second", time.Time.Second)
	get("Millisecond", func(t time.Time) int { return t.Nanosecond() / 1e6 })
	get("DayOfYear", time.Time.YearDay)
	b.property("long Ticks", func(v Value) Value { return v.(DateTime).ticks })
	b.property("DateTime Date", func(v Value) Value { d := v.(DateTime); return DateTime{d.ticks - d.ticks%ticksPerDay, d.kind} })
	b.property("TimeSpan TimeOfDay", func(v Value) Value { return TimeSpan(v.(DateTime).ticks % ticksPerDay) })
	kinds, days := b.env.named("DateTimeKind"), b.env.named("DayOfWeek")
	b.property("DateTimeKind Kind", func(v Value) Value { return Enum{kinds, int64(v.(DateTime).kind)} })
	b.property("DayOfWeek DayOfWeek", func(v Value) Value { return Enum{days, int64(goTime(v.(DateTime).ticks).Weekday())} })
	for name, unit := range map[string]int64{"AddDays": ticksPerDay, "AddHours": ticksPerHour, "AddMinutes": ticksPerMinute, "AddSeconds": ticksPerSecond, "AddMilliseconds": ticksPerMillisecond} {
		b.method("DateTime "+name+"(double value)", func(a []Value) Value {
			d := a[0].(DateTime)
			return DateTime{addTicks(d.ticks, boundedSpan(a[1].(float64), unit)), d.kind}
		})
	}
	b.method("DateTime AddTicks(long value)", func(a []Value) Value { d := a[0].(DateTime); return DateTime{addTicks(d.ticks, a[1].(int64)), d.kind} })
	b.method("DateTime AddMonths(int months)", func(a []Value) Value { d := a[0].(DateTime); return DateTime{addMonths(d.ticks, intOf(a[1])), d.kind} })
	b.method("DateTime AddYears(int value)", func(a []Value) Value {
		d := a[0].(DateTime)
		return DateTime{addMonths(d.ticks, max(min(intOf(a[1]), 10000), -10000)*12), d.kind}
	})
	b.method("DateTime Add(TimeSpan value)", func(a []Value) Value {
		d := a[0].(DateTime)
		return DateTime{addTicks(d.ticks, int64(a[1].(TimeSpan))), d.kind}
	})
	b.method("TimeSpan Subtract(DateTime value)", func(a []Value) Value { return TimeSpan(a[0].(DateTime).ticks - a[1].(DateTime).ticks) })
	b.method("DateTime Subtract(TimeSpan value)", func(a []Value) Value {
		d := a[0].(DateTime)
		return DateTime{addTicks(d.ticks, -int64(a[1].(TimeSpan))), d.kind}
	})
	b.method("DateTime ToUniversalTime()", func(a []Value) Value { return DateTime{a[0].(DateTime).ticks, utcKind} })
	b.method("bool IsDaylightSavingTime()", func([]Value) Value { return false })
	b.method("long ToFileTimeUtc()", func(a []Value) Value { return a[0].(DateTime).ticks - 504911232000000000 })
	for name, format := range map[string]string{"ToShortDateString": "d", "ToLongDateString": "D", "ToShortTimeString": "t", "ToLongTimeString": "T"} {
		b.native("string "+name+"()", func(m *machine, a []Value) Value { return m.format(a[0], format) })
	}
	b.formats()
	b.comparable("DateTime")
	b.method("static DateTime operator +(DateTime d, TimeSpan t)", func(a []Value) Value {
		d := a[0].(DateTime)
		return DateTime{addTicks(d.ticks, int64(a[1].(TimeSpan))), d.kind}
	})
	b.method("static DateTime operator -(DateTime d, TimeSpan t)", func(a []Value) Value {
		d := a[0].(DateTime)
		return DateTime{addTicks(d.ticks, -int64(a[1].(TimeSpan))), d.kind}
	})
	b.method("static TimeSpan operator -(DateTime a, DateTime b)", func(a []Value) Value { return TimeSpan(a[0].(DateTime).ticks - a[1].(DateTime).ticks) })
	b.method("static int DaysInMonth(int year, int month)", func(a []Value) Value {
		if m := intOf(a[1]); m < 1 || m > 12 {
			throwOutOfRange("Month must be between one and twelve.", "month")
		}
		return int32(daysIn(intOf(a[0]), intOf(a[1])))
	})
	b.method("static bool IsLeapYear(int year)", func(a []Value) Value { return daysIn(intOf(a[0]), 2) == 29 })
	b.method("static DateTime SpecifyKind(DateTime value, DateTimeKind kind)", func(a []Value) Value { return DateTime{a[0].(DateTime).ticks, dateKindOf(a[1])} })
	b.dateParsing("DateTime", mustParseDate, func(p *dateParts, style int) (Value, bool) { d, ok := p.dateTime(style); return d, ok }, DateTime{})
}

// boundedSpan is a number of units that may be added to a date.
func boundedSpan(value float64, unit int64) int64 {
	ticks := value * float64(unit)
	if math.Abs(ticks) > 2*float64(maxTicks) || ticks != ticks {
		throwOutOfRange("Value to add was out of range.", "value")
	}
	// .NET splits the value into whole units and a fraction, so that a whole number of units is exact.
	whole := math.Trunc(value)
	return int64(whole)*unit + int64(math.Round((value-whole)*float64(unit)))
}

// formats declares ToString with a format on the current type.
func (b *library) formats() {
	b.native("string ToString(string format)", func(m *machine, a []Value) Value { return m.format(a[0], optionalText(a[1])) })
	b.native("string ToString(IFormatProvider provider)", func(m *machine, a []Value) Value { return m.text(a[0]) })
	b.native("string ToString(string format, IFormatProvider provider)", func(m *machine, a []Value) Value { return m.format(a[0], optionalText(a[1])) })
}

// comparable declares the comparisons of a value type.
func (b *library) comparable(name string) {
	for _, op := range []string{"==", "!=", "<", ">", "<=", ">="} {
		test := orderTest(op)
		b.native("static bool operator "+op+"("+name+" a, "+name+" b)", func(m *machine, a []Value) Value { return test(compareValues(m, a[0], a[1])) })
	}
	b.native("static int Compare("+name+" a, "+name+" b)", func(m *machine, a []Value) Value { return int32(compareValues(m, a[0], a[1])) })
	b.method("static bool Equals("+name+" a, "+name+" b)", func(a []Value) Value { return equalsValue(a[0], a[1]) })
	b.native("int CompareTo("+name+" value)", func(m *machine, a []Value) Value { return int32(compareValues(m, a[0], a[1])) })
	b.native("int CompareTo(object value)", compareToObject)
	b.method("bool Equals("+name+" value)", func(a []Value) Value { return equalsValue(a[0], a[1]) })
}

// dateParsing declares Parse, ParseExact and their Try forms.
func (b *library) dateParsing(k string, must func(v Value, style int) Value, make func(p *dateParts, style int) (Value, bool), zero Value) {
	style := func(v Value) int { return int(v.(Enum).n) }
	b.method("static "+k+" Parse(string s)", func(a []Value) Value { return must(a[0], 0) })
	b.method("static "+k+" Parse(string s, IFormatProvider provider)", func(a []Value) Value { return must(a[0], 0) })
	b.method("static "+k+" Parse(string s, IFormatProvider provider, DateTimeStyles styles)", func(a []Value) Value { return must(a[0], style(a[2])) })
	try := func(s, out Value, flags int) Value {
		ref := out.(*reference)
		ref.value = zero
		if s == nil {
			return false
		}
		p, ok := parseDateText(s.(string))
		if ok {
			var d Value
			if d, ok = make(&p, flags); ok {
				ref.value = d
			}
		}
		return ok
	}
	b.method("static bool TryParse(string s, out "+k+" result)", func(a []Value) Value { return try(a[0], a[1], 0) })
	b.method("static bool TryParse(string s, IFormatProvider provider, out "+k+" result)", func(a []Value) Value { return try(a[0], a[2], 0) })
	b.method("static bool TryParse(string s, IFormatProvider provider, DateTimeStyles styles, out "+k+" result)", func(a []Value) Value { return try(a[0], a[3], style(a[2])) })
	exact := func(s string, formats []string, flags int) (Value, bool) {
		for _, f := range formats {
			if p, ok := parseExact(s, f, flags); ok {
				if len(f) == 1 && strings.Contains("oO", f) {
					flags |= dateRoundtripKind
				}
				if d, ok := make(&p, flags); ok {
					return d, true
				}
			}
		}
		return nil, false
	}
	mustExact := func(s, formats Value, flags int) Value {
		text := textArgument(s, "s")
		d, ok := exact(text, formatsOf(formats), flags)
		if !ok {
			throwFormat("String '" + text + "' was not recognized as a valid DateTime.")
		}
		return d
	}
	tryExact := func(s, formats, out Value, flags int) Value {
		ref := out.(*reference)
		ref.value = zero
		d, ok := exact(optionalText(s), formatsOf(formats), flags)
		if ok {
			ref.value = d
		}
		return ok
	}
	b.method("static "+k+" ParseExact(string s, string format, IFormatProvider provider)", func(a []Value) Value { return mustExact(a[0], a[1], 0) })
	for _, f := range []string{"string format", "string[] formats"} {
		b.method("static "+k+" ParseExact(string s, "+f+", IFormatProvider provider, DateTimeStyles style)", func(a []Value) Value { return mustExact(a[0], a[1], style(a[3])) })
		b.method("static bool TryParseExact(string s, "+f+", IFormatProvider provider, DateTimeStyles style, out "+k+" result)", func(a []Value) Value {
			return tryExact(a[0], a[1], a[4], style(a[3]))
		})
	}
}

// formatsOf reads a format, or an array of them.
func formatsOf(v Value) []string {
	if x, ok := v.(*array); ok {
		var list []string
		for _, s := range x.items {
			list = append(list, optionalText(s))
		}
		return list
	}
	return []string{textArgument(v, "format")}
}

// spans declares System.TimeSpan.
func (b *library) spans() {
	b.on("TimeSpan").add("static TimeSpan Zero", TimeSpan(0)).add("static TimeSpan MaxValue", TimeSpan(math.MaxInt64)).add("static TimeSpan MinValue", TimeSpan(math.MinInt64)).
		add("static long TicksPerDay", int64(ticksPerDay)).add("static long TicksPerHour", int64(ticksPerHour)).add("static long TicksPerMinute", int64(ticksPerMinute)).
		add("static long TicksPerSecond", int64(ticksPerSecond)).add("static long TicksPerMillisecond", int64(ticksPerMillisecond))
	b.current.zero = func() Value { return TimeSpan(0) }
	make := func(d, h, m, s, ms Value) Value {
		n := func(v Value) int64 { return int64(intOf(v)) }
		total := float64(n(d))*ticksPerDay + float64(n(h))*ticksPerHour + float64(n(m))*ticksPerMinute + float64(n(s))*ticksPerSecond
		if math.Abs(total) >= math.MaxInt64 {
			throwOutOfRange("TimeSpan overflowed because the duration is too long.", "")
		}
		return TimeSpan(n(d)*ticksPerDay + n(h)*ticksPerHour + n(m)*ticksPerMinute + n(s)*ticksPerSecond + n(ms)*ticksPerMillisecond)
	}
	none := int32(0)
	b.method("new(long ticks)", func(a []Value) Value { return TimeSpan(a[0].(int64)) })
	b.method("new(int hours, int minutes, int seconds)", func(a []Value) Value { return make(none, a[0], a[1], a[2], none) })
	b.method("new(int days, int hours, int minutes, int seconds)", func(a []Value) Value { return make(a[0], a[1], a[2], a[3], none) })
	b.method("new(int days, int hours, int minutes, int seconds, int milliseconds)", func(a []Value) Value { return make(a[0], a[1], a[2], a[3], a[4]) })
	for name, u := range map[string][2]int64{"Days": {ticksPerDay, 0}, "Hours": {ticksPerHour, 24}, "Minutes": {ticksPerMinute, 60}, "Seconds": {ticksPerSecond, 60}, "Milliseconds": {ticksPerMillisecond, 1000}} {
		b.property("int "+name, func(v Value) Value {
			n := int64(v.(TimeSpan)) / u[0]
			if u[1] > 0 {
				n %= u[1]
			}
			return int32(n)
		})
		b.property("double Total"+name, func(v Value) Value { return float64(v.(TimeSpan)) / float64(u[0]) })
		b.method("static TimeSpan From"+name+"(double value)", func(a []Value) Value { return TimeSpan(spanOf(a[0].(float64), u[0])) })
	}
	b.property("long Ticks", func(v Value) Value { return int64(v.(TimeSpan)) })
	b.method("static TimeSpan FromTicks(long value)", func(a []Value) Value { return TimeSpan(a[0].(int64)) })
	overflow := func() { throw("OverflowException", "TimeSpan overflowed because the duration is too long.") }
	add := func(x, y TimeSpan) Value {
		z := x + y
		if (x > 0) == (y > 0) && x != 0 && y != 0 && (z > 0) != (x > 0) {
			overflow()
		}
		return z
	}
	negate := func(x TimeSpan) TimeSpan {
		if x == math.MinInt64 {
			overflow()
		}
		return -x
	}
	b.method("TimeSpan Add(TimeSpan ts)", func(a []Value) Value { return add(a[0].(TimeSpan), a[1].(TimeSpan)) })
	b.method("TimeSpan Subtract(TimeSpan ts)", func(a []Value) Value { return add(a[0].(TimeSpan), negate(a[1].(TimeSpan))) })
	b.method("TimeSpan Negate()", func(a []Value) Value { return negate(a[0].(TimeSpan)) })
	b.method("TimeSpan Duration()", func(a []Value) Value {
		if a[0].(TimeSpan) < 0 {
			return negate(a[0].(TimeSpan))
		}
		return a[0]
	})
	b.method("static TimeSpan operator +(TimeSpan a, TimeSpan b)", func(a []Value) Value { return add(a[0].(TimeSpan), a[1].(TimeSpan)) })
	b.method("static TimeSpan operator -(TimeSpan a, TimeSpan b)", func(a []Value) Value { return add(a[0].(TimeSpan), negate(a[1].(TimeSpan))) })
	b.method("static TimeSpan operator -(TimeSpan a)", func(a []Value) Value { return negate(a[0].(TimeSpan)) })
	scale := func(s TimeSpan, f float64) Value {
		r := math.Round(float64(s) * f)
		if math.Abs(r) >= math.MaxInt64 || r != r {
			overflow()
		}
		return TimeSpan(r)
	}
	b.method("static TimeSpan operator *(TimeSpan a, double f)", func(a []Value) Value { return scale(a[0].(TimeSpan), a[1].(float64)) })
	b.method("static TimeSpan operator *(double f, TimeSpan a)", func(a []Value) Value { return scale(a[1].(TimeSpan), a[0].(float64)) })
	b.method("static TimeSpan operator /(TimeSpan a, double f)", func(a []Value) Value { return scale(a[0].(TimeSpan), 1/a[1].(float64)) })
	b.method("static double operator /(TimeSpan a, TimeSpan b)", func(a []Value) Value { return float64(a[0].(TimeSpan)) / float64(a[1].(TimeSpan)) })
	b.formats()
	b.comparable("TimeSpan")
	parse := func(v Value) Value {
		s := textArgument(v, "input")
		span, result := parseSpan(s)
		switch result {
		case badFormat:
			throwFormat("String '" + s + "' was not recognized as a valid TimeSpan.")
		case tooLarge:
			throw("OverflowException", "The TimeSpan string '"+s+"' could not be parsed because at least one of the numeric components is out of range or contains too many digits.")
		}
		return span
	}
	try := func(s, out Value) Value {
		ref := out.(*reference)
		span, result := parseSpan(optionalText(s))
		ref.value = TimeSpan(0)
		if result == parsed {
			ref.value = span
		}
		return result == parsed
	}
	b.method("static TimeSpan Parse(string s)", func(a []Value) Value { return parse(a[0]) })
	b.method("static TimeSpan Parse(string s, IFormatProvider provider)", func(a []Value) Value { return parse(a[0]) })
	b.method("static bool TryParse(string s, out TimeSpan result)", func(a []Value) Value { return try(a[0], a[1]) })
	b.method("static bool TryParse(string s, IFormatProvider provider, out TimeSpan result)", func(a []Value) Value { return try(a[0], a[2]) })
}

// offsets declares System.DateTimeOffset.
func (b *library) offsets() {
	b.on("DateTimeOffset").add("static DateTimeOffset MinValue", DateTimeOffset{}).add("static DateTimeOffset MaxValue", DateTimeOffset{ticks: maxTicks}).add("static DateTimeOffset UnixEpoch", DateTimeOffset{ticks: unixTicks})
	b.current.zero = func() Value { return DateTimeOffset{} }
	b.current.conversions = append(b.current.conversions, &userConversion{from: b.env.named("DateTime"), to: b.current, implicit: true,
		apply: func(_ *machine, a []Value) Value { return toOffset(a[0].(DateTime)) }})
	for _, name := range []string{"Now", "UtcNow"} {
		b.native("static DateTimeOffset "+name, func(*machine, []Value) Value { return DateTimeOffset{ticks: now()} })
	}
	make := func(ticks int64, span Value) Value {
		d := DateTimeOffset{ticks, offsetMinutes(span.(TimeSpan))}
		if d.utc() < 0 || d.utc() > maxTicks {
			throwOutOfRange("The UTC time represented when the offset is applied must be between year 0 and 10,000.", "offset")
		}
		return d
	}
	b.method("new(DateTime dateTime)", func(a []Value) Value { return toOffset(a[0].(DateTime)) })
	b.method("new(DateTime dateTime, TimeSpan offset)", func(a []Value) Value {
		if d := a[0].(DateTime); d.kind != unspecified && a[1].(TimeSpan) != 0 {
			throw("ArgumentException", "The UTC Offset of the local dateTime parameter does not match the offset argument. (Parameter 'offset')")
		}
		return make(a[0].(DateTime).ticks, a[1])
	})
	b.method("new(long ticks, TimeSpan offset)", func(a []Value) Value { return make(checkTicks(a[0].(int64)), a[1]) })
	b.method("new(int year, int month, int day, int hour, int minute, int second, TimeSpan offset)", func(a []Value) Value {
		return make(makeDate(intOf(a[0]), intOf(a[1]), intOf(a[2]), intOf(a[3]), intOf(a[4]), intOf(a[5]), 0, unspecified).ticks, a[6])
	})
	b.method("new(int year, int month, int day, int hour, int minute, int second, int millisecond, TimeSpan offset)", func(a []Value) Value {
		return make(makeDate(intOf(a[0]), intOf(a[1]), intOf(a[2]), intOf(a[3]), intOf(a[4]), intOf(a[5]), intOf(a[6]), unspecified).ticks, a[7])
	})
	for name, part := range map[string]func(t time.Time) int{"Year": time.Time.Year, "Month": func(t time.Time) int { return int(t.Month()) }, "Day": time.Time.Day, "Hour": time.Time.Hour,
		"Minute": time.Time.Minute, "Second": time.Time.Second, "Millisecond": func(t time.Time) int { return t.Nanosecond() / 1e6 }, "DayOfYear": time.Time.YearDay} {
		b.property("int "+name, func(v Value) Value { return int32(part(goTime(v.(DateTimeOffset).ticks))) })
	}
	days := b.env.named("DayOfWeek")
	b.property("DayOfWeek DayOfWeek", func(v Value) Value { return Enum{days, int64(goTime(v.(DateTimeOffset).ticks).Weekday())} })
	b.property("long Ticks", func(v Value) Value { return v.(DateTimeOffset).ticks })
	b.property("long UtcTicks", func(v Value) Value { return v.(DateTimeOffset).utc() })
	b.property("TimeSpan Offset", func(v Value) Value { return TimeSpan(int64(v.(DateTimeOffset).offset) * ticksPerMinute) })
	b.property("TimeSpan TimeOfDay", func(v Value) Value { return TimeSpan(v.(DateTimeOffset).ticks % ticksPerDay) })
	b.property("DateTime Date", func(v Value) Value { t := v.(DateTimeOffset).ticks; return DateTime{ticks: t - t%ticksPerDay} })
	b.property("DateTime DateTime", func(v Value) Value { return DateTime{ticks: v.(DateTimeOffset).ticks} })
	b.property("DateTime UtcDateTime", func(v Value) Value { return DateTime{v.(DateTimeOffset).utc(), utcKind} })
	b.property("DateTime LocalDateTime", func(v Value) Value { return DateTime{v.(DateTimeOffset).utc(), localKind} })
	b.method("DateTimeOffset ToUniversalTime()", func(a []Value) Value { return DateTimeOffset{ticks: a[0].(DateTimeOffset).utc()} })
	b.method("DateTimeOffset ToOffset(TimeSpan offset)", func(a []Value) Value { return a[0].(DateTimeOffset).withOffset(a[1].(TimeSpan)) })
	b.method("long ToUnixTimeSeconds()", func(a []Value) Value { return floorDivide(a[0].(DateTimeOffset).utc()-unixTicks, ticksPerSecond) })
	b.method("long ToUnixTimeMilliseconds()", func(a []Value) Value { return floorDivide(a[0].(DateTimeOffset).utc()-unixTicks, ticksPerMillisecond) })
	fromUnix := func(n, unit int64) Value {
		if n > maxTicks/unit || n < -unixTicks/unit {
			throwOutOfRange("Valid values are between -62135596800 and 253402300799, inclusive.", "seconds")
		}
		return DateTimeOffset{ticks: unixTicks + n*unit}
	}
	b.method("static DateTimeOffset FromUnixTimeSeconds(long seconds)", func(a []Value) Value { return fromUnix(a[0].(int64), ticksPerSecond) })
	b.method("static DateTimeOffset FromUnixTimeMilliseconds(long milliseconds)", func(a []Value) Value { return fromUnix(a[0].(int64), ticksPerMillisecond) })
	move := func(d DateTimeOffset, span int64) Value {
		moved := DateTimeOffset{addTicks(d.ticks, span), d.offset}
		checkTicks(moved.utc())
		return moved
	}
	for name, unit := range map[string]int64{"AddDays": ticksPerDay, "AddHours": ticksPerHour, "AddMinutes": ticksPerMinute, "AddSeconds": ticksPerSecond, "AddMilliseconds": ticksPerMillisecond} {
		b.method("DateTimeOffset "+name+"(double value)", func(a []Value) Value { return move(a[0].(DateTimeOffset), boundedSpan(a[1].(float64), unit)) })
	}
	b.method("DateTimeOffset AddTicks(long ticks)", func(a []Value) Value { return move(a[0].(DateTimeOffset), a[1].(int64)) })
	b.method("DateTimeOffset AddMonths(int months)", func(a []Value) Value {
		d := a[0].(DateTimeOffset)
		return DateTimeOffset{addMonths(d.ticks, intOf(a[1])), d.offset}
	})
	b.method("DateTimeOffset AddYears(int years)", func(a []Value) Value {
		d := a[0].(DateTimeOffset)
		return DateTimeOffset{addMonths(d.ticks, max(min(intOf(a[1]), 10000), -10000)*12), d.offset}
	})
	b.method("DateTimeOffset Add(TimeSpan value)", func(a []Value) Value { return move(a[0].(DateTimeOffset), int64(a[1].(TimeSpan))) })
	b.method("DateTimeOffset Subtract(TimeSpan value)", func(a []Value) Value { return move(a[0].(DateTimeOffset), -int64(a[1].(TimeSpan))) })
	b.method("TimeSpan Subtract(DateTimeOffset value)", func(a []Value) Value { return TimeSpan(a[0].(DateTimeOffset).utc() - a[1].(DateTimeOffset).utc()) })
	b.method("static DateTimeOffset operator +(DateTimeOffset d, TimeSpan t)", func(a []Value) Value { return move(a[0].(DateTimeOffset), int64(a[1].(TimeSpan))) })
	b.method("static DateTimeOffset operator -(DateTimeOffset d, TimeSpan t)", func(a []Value) Value { return move(a[0].(DateTimeOffset), -int64(a[1].(TimeSpan))) })
	b.method("static TimeSpan operator -(DateTimeOffset a, DateTimeOffset b)", func(a []Value) Value { return TimeSpan(a[0].(DateTimeOffset).utc() - a[1].(DateTimeOffset).utc()) })
	b.formats()
	b.comparable("DateTimeOffset")
	must := func(v Value, style int) Value {
		s := textArgument(v, "input")
		p, ok := parseDateText(s)
		if ok {
			var d DateTimeOffset
			if d, ok = p.offsetTime(style); ok {
				return d
			}
		}
		failDate(s, p)
		return nil
	}
	b.dateParsing("DateTimeOffset", must, func(p *dateParts, style int) (Value, bool) { d, ok := p.offsetTime(style); return d, ok }, DateTimeOffset{})
}

func floorDivide(a, c int64) Value {
	q := a / c
	if a%c < 0 {
		q--
	}
	return q
}

// zone is System.TimeZoneInfo.
type zone struct {
	id       string
	location *time.Location
}

func (z *zone) typeIn(e *Environment) *netType { return e.named("TimeZoneInfo") }
func (z *zone) text(*machine) string           { return z.id }

// windowsZones maps the Windows names that policies use most to the names of the time zone database.
var windowsZones = map[string]string{
	"UTC": "UTC", "GMT Standard Time": "Europe/London", "W. Europe Standard Time": "Europe/Berlin", "Central Europe Standard Time": "Europe/Budapest", "Romance Standard Time": "Europe/Paris",
	"Central European Standard Time": "Europe/Warsaw", "E. Europe Standard Time": "Europe/Chisinau", "FLE Standard Time": "Europe/Kiev", "GTB Standard Time": "Europe/Bucharest",
	"Russian Standard Time": "Europe/Moscow", "Turkey Standard Time": "Europe/Istanbul", "Israel Standard Time": "Asia/Jerusalem", "Arabian Standard Time": "Asia/Dubai",
	"India Standard Time": "Asia/Kolkata", "China Standard Time": "Asia/Shanghai", "Singapore Standard Time": "Asia/Singapore", "Tokyo Standard Time": "Asia/Tokyo", "Korea Standard Time": "Asia/Seoul",
	"AUS Eastern Standard Time": "Australia/Sydney", "New Zealand Standard Time": "Pacific/Auckland", "Eastern Standard Time": "America/New_York", "Central Standard Time": "America/Chicago",
	"Mountain Standard Time": "America/Denver", "Pacific Standard Time": "America/Los_Angeles", "Atlantic Standard Time": "America/Halifax", "E. South America Standard Time": "America/Sao_Paulo",
	"South Africa Standard Time": "Africa/Johannesburg", "Greenwich Standard Time": "Atlantic/Reykjavik", "Hawaiian Standard Time": "Pacific/Honolulu",
}

// zones declares System.TimeZoneInfo.
func (b *library) zones() {
	utc := &zone{"UTC", time.UTC}
	b.on("TimeZoneInfo").add("static TimeZoneInfo Utc", utc).add("static TimeZoneInfo Local", utc)
	b.native("static TimeZoneInfo FindSystemTimeZoneById(string id)", func(_ *machine, a []Value) Value {
		id := textArgument(a[0], "id")
		name := id
		if known, ok := windowsZones[id]; ok {
			name = known
		}
		location, err := time.LoadLocation(name)
		if err != nil || id == "" || id == "Local" {
			throw("TimeZoneNotFoundException", "The time zone ID '"+id+"' was not found on the local computer.")
		}
		return &zone{id, location}
	})
	b.property("string Id", func(v Value) Value { return v.(*zone).id })
	b.property("string DisplayName", func(v Value) Value { return v.(*zone).id })
	b.property("string StandardName", func(v Value) Value { return v.(*zone).id })
	b.property("TimeSpan BaseUtcOffset", func(v Value) Value {
		z := v.(*zone)
		winter, summer := time.Date(2026, 1, 1, 0, 0, 0, 0, z.location), time.Date(2026, 7, 1, 0, 0, 0, 0, z.location)
		t := winter
		if winter.IsDST() {
			t = summer
		}
		_, seconds := t.Zone()
		return TimeSpan(int64(seconds) * ticksPerSecond)
	})
	offset := func(z *zone, utcTicks int64) int64 {
		_, seconds := goTime(utcTicks).In(z.location).Zone()
		return int64(seconds) * ticksPerSecond
	}
	// local reads a clock time in a zone; one that daylight saving skips is an error.
	local := func(z *zone, ticks int64) int64 {
		t := goTime(ticks)
		u := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), z.location)
		if u.Hour() != t.Hour() || u.Minute() != t.Minute() {
			throw("ArgumentException", "The supplied DateTime represents an invalid time. (Parameter 'dateTime')")
		}
		return ticksOf(u.UTC())
	}
	toUTC := func(d DateTime, z *zone) int64 {
		if d.kind != unspecified {
			return d.ticks
		}
		return local(z, d.ticks)
	}
	in := func(utcTicks int64, z *zone) Value {
		kind := unspecified
		if z.location == time.UTC {
			kind = utcKind
		}
		return DateTime{checkTicks(utcTicks + offset(z, utcTicks)), kind}
	}
	find := func(m *machine, id Value) *zone {
		return m.call(b.env.named("TimeZoneInfo").members["FindSystemTimeZoneById"][0].native, id).(*zone)
	}
	b.native("static DateTime ConvertTimeFromUtc(DateTime dateTime, TimeZoneInfo destination)", func(_ *machine, a []Value) Value { return in(a[0].(DateTime).ticks, a[1].(*zone)) })
	b.native("static DateTime ConvertTimeToUtc(DateTime dateTime)", func(_ *machine, a []Value) Value { return DateTime{a[0].(DateTime).ticks, utcKind} })
	b.native("static DateTime ConvertTimeToUtc(DateTime dateTime, TimeZoneInfo source)", func(_ *machine, a []Value) Value {
		return DateTime{toUTC(a[0].(DateTime), a[1].(*zone)), utcKind}
	})
	b.native("static DateTime ConvertTime(DateTime dateTime, TimeZoneInfo destination)", func(_ *machine, a []Value) Value { return in(a[0].(DateTime).ticks, a[1].(*zone)) })
	b.native("static DateTime ConvertTime(DateTime dateTime, TimeZoneInfo source, TimeZoneInfo destination)", func(_ *machine, a []Value) Value {
		return in(toUTC(a[0].(DateTime), a[1].(*zone)), a[2].(*zone))
	})
	b.native("static DateTimeOffset ConvertTime(DateTimeOffset dateTimeOffset, TimeZoneInfo destination)", func(_ *machine, a []Value) Value {
		d := a[0].(DateTimeOffset)
		return d.withOffset(TimeSpan(offset(a[1].(*zone), d.utc())))
	})
	b.native("static DateTime ConvertTimeBySystemTimeZoneId(DateTime dateTime, string id)", func(m *machine, a []Value) Value { return in(a[0].(DateTime).ticks, find(m, a[1])) })
	b.native("static DateTimeOffset ConvertTimeBySystemTimeZoneId(DateTimeOffset dateTimeOffset, string id)", func(m *machine, a []Value) Value {
		d := a[0].(DateTimeOffset)
		return d.withOffset(TimeSpan(offset(find(m, a[1]), d.utc())))
	})
	b.native("TimeSpan GetUtcOffset(DateTime dateTime)", func(_ *machine, a []Value) Value {
		z := a[0].(*zone)
		return TimeSpan(offset(z, toUTC(a[1].(DateTime), z)))
	})
	b.native("TimeSpan GetUtcOffset(DateTimeOffset dateTimeOffset)", func(_ *machine, a []Value) Value { return TimeSpan(offset(a[0].(*zone), a[1].(DateTimeOffset).utc())) })
	b.native("bool IsDaylightSavingTime(DateTime dateTime)", func(_ *machine, a []Value) Value {
		z := a[0].(*zone)
		return goTime(toUTC(a[1].(DateTime), z)).In(z.location).IsDST()
	})
}
