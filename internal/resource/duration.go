package resource

import (
	"errors"
	"regexp"
	"strconv"
	"time"
)

var isoDuration = regexp.MustCompile(`^P(?:(\d{1,9})W|(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?)$`)

// ParseDuration reads a duration of ISO 8601 in weeks, days, hours, minutes and seconds, like PT1M30S or P1D. Months and years, whose
// length differs, are refused.
func ParseDuration(text string) (time.Duration, error) {
	parts := isoDuration.FindStringSubmatch(text)
	if parts == nil || text == "P" || text[len(text)-1] == 'T' {
		return 0, errors.New("it is not a duration of ISO 8601 like PT1M30S or P1D")
	}
	total := 0.0
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if parts[i+1] == "" {
			continue
		}
		n, err := strconv.ParseFloat(parts[i+1], 64)
		if err != nil {
			return 0, err
		}
		total += n * float64(unit)
	}
	if total > float64(1<<62) {
		return 0, errors.New("the duration is longer than 146 years")
	}
	return time.Duration(total), nil
}
