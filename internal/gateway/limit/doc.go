// Package limit counts calls and bytes for rate limits and quotas, and calls that run at once.
//
// A rate limit looks at a window that slides with the clock, a quota at periods of fixed length one after the other. Counters
// belong to nobody's configuration: they are named by what is counted, so a new configuration goes on with the old counts.
//
// Nodes of a cluster count together (see [Open]). A request never waits for that: it is decided by the node's own count and by what the node has
// heard of the others, so a limit may be passed by what they let through before they heard of each other.
package limit
