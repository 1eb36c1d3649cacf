// Package limit counts calls and bytes for rate limits and quotas, and calls that run at once.
//
// A rate limit looks at a window that slides with the clock, a quota at periods of fixed length one after the other. Counters
// belong to nobody's configuration: they are named by what is counted, so a new configuration goes on with the old counts.
package limit
