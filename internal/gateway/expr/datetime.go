package expr

import (
	"math"
	"time"
)

// TimeSpan is System.TimeSpan in ticks of 100 nanoseconds.
type TimeSpan int64

// DateTime is System.DateTime: ticks since the year 1 and a kind. Local time is UTC here.
type DateTime struct {
	ticks int64
	kind  dateKind
}

// DateTimeOffset is System.DateTimeOffset: the clock time in ticks, and its offset from UTC in minutes.
type DateTimeOffset struct {
	ticks  int64
	offset int32
}

// dateKind is System.DateTimeKind.
type dateKind uint8

const (
	unspecified dateKind = iota
	utcKind
	localKind
)

const (
	ticksPerMillisecond = 10_000
	ticksPerSecond      = 1000 * ticksPerMillisecond
	ticksPerMinute      = 60 * ticksPerSecond
	ticksPerHour        = 60 * ticksPerMinute
	ticksPerDay         = 24 * ticksPerHour
	// maxTicks is the last tick of the year 9999.
	maxTicks = 3155378975999999999
	// unixTicks is the start of 1970.
	unixTicks = 621355968000000000
)

// NewDateTime makes a System.DateTime of kind Utc.
func NewDateTime(t time.Time) DateTime {
	return DateTime{ticksOf(t), utcKind}
}

func ticksOf(t time.Time) int64 {
	return unixTicks + t.Unix()*ticksPerSecond + int64(t.Nanosecond())/100
}

// goTime is the date as a Go time in UTC, for calendar arithmetic.
func goTime(ticks int64) time.Time {
	since := ticks - unixTicks
	seconds := since / ticksPerSecond
	rest := since % ticksPerSecond
	return time.Unix(seconds, rest*100).UTC()
}

// makeDate checks and makes a date; the parts after the day default to 0.
func makeDate(year, month, day, hour, minute, second, millisecond int, kind dateKind) DateTime {
	if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		throwOutOfRange("Year, Month, and Day parameters describe an un-representable DateTime.", "")
	}
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		throwOutOfRange("Hour, Minute, and Second parameters describe an un-representable DateTime.", "")
	}
	if millisecond < 0 || millisecond > 999 {
		throwOutOfRange("Valid values are between 0 and 999, inclusive.", "millisecond")
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return DateTime{ticksOf(t) + int64(millisecond)*ticksPerMillisecond, kind}
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// checkTicks throws where a date leaves the years 1 to 9999.
func checkTicks(ticks int64) int64 {
	if ticks < 0 || ticks > maxTicks {
		throwOutOfRange("The added or subtracted value results in an un-representable DateTime.", "value")
	}
	return ticks
}

// addTicks adds a span without wrapping.
func addTicks(ticks, span int64) int64 {
	if span > maxTicks || span < -maxTicks {
		checkTicks(-1)
	}
	return checkTicks(ticks + span)
}

// addMonths moves by months; the day is clipped to the month's last.
func addMonths(ticks int64, months int) int64 {
	if months < -120000 || months > 120000 {
		throwOutOfRange("Months value must be between +/-120000.", "months")
	}
	t := goTime(ticks)
	month := int(t.Month()) - 1 + months
	year := t.Year() + int(math.Floor(float64(month)/12))
	month = (month%12+12)%12 + 1
	if year < 1 || year > 9999 {
		checkTicks(-1)
	}
	day := min(t.Day(), daysIn(year, month))
	return makeDate(year, month, day, 0, 0, 0, 0, unspecified).ticks + ticks%ticksPerDay
}

// spanOf is a number of units as a span. Whole milliseconds of a double are exact, finer parts are kept as .NET since version 7 does.
func spanOf(value float64, unit int64) int64 {
	if value != value {
		throw("ArgumentException", "TimeSpan does not accept floating point Not-a-Number values.")
	}
	ticks := value * float64(unit)
	if ticks > math.MaxInt64 || ticks < math.MinInt64 || ticks >= 9.223372036854775e18 {
		throw("OverflowException", "TimeSpan overflowed because the duration is too long.")
	}
	return int64(ticks)
}

func (d DateTime) equals(other Value) bool {
	o, ok := other.(DateTime)
	return ok && d.ticks == o.ticks
}

func (d DateTime) hashKey() any { return DateTime{ticks: d.ticks} }

func (d DateTime) compareTo(_ *machine, other Value) int {
	return compareOrdered(d.ticks, other.(DateTime).ticks)
}

func (d DateTime) typeIn(e *Environment) *netType { return e.named("DateTime") }

func (d DateTimeOffset) utc() int64 { return d.ticks - int64(d.offset)*ticksPerMinute }

func (d DateTimeOffset) equals(other Value) bool {
	o, ok := other.(DateTimeOffset)
	return ok && d.utc() == o.utc()
}

func (d DateTimeOffset) hashKey() any { return DateTimeOffset{ticks: d.utc()} }

func (d DateTimeOffset) compareTo(_ *machine, other Value) int {
	return compareOrdered(d.utc(), other.(DateTimeOffset).utc())
}

func (d DateTimeOffset) typeIn(e *Environment) *netType { return e.named("DateTimeOffset") }

func (s TimeSpan) compareTo(_ *machine, other Value) int {
	return compareOrdered(int64(s), int64(other.(TimeSpan)))
}

func (s TimeSpan) typeIn(e *Environment) *netType { return e.named("TimeSpan") }

// toOffset gives a date the offset that its kind implies; local time is UTC.
func toOffset(d DateTime) DateTimeOffset { return DateTimeOffset{ticks: d.ticks} }

// withOffset moves an instant to an offset.
func (d DateTimeOffset) withOffset(span TimeSpan) DateTimeOffset {
	minutes := offsetMinutes(span)
	return DateTimeOffset{checkTicks(d.utc() + int64(minutes)*ticksPerMinute), minutes}
}

func offsetMinutes(span TimeSpan) int32 {
	if int64(span)%ticksPerMinute != 0 {
		throw("ArgumentException", "Offset must be specified in whole minutes. (Parameter 'offset')")
	}
	if span > 14*ticksPerHour || span < -14*ticksPerHour {
		throwOutOfRange("Offset must be within plus or minus 14 hours.", "offset")
	}
	return int32(int64(span) / ticksPerMinute)
}

// dateKindOf reads an argument of type DateTimeKind.
func dateKindOf(v Value) dateKind { return dateKind(v.(Enum).n) }
