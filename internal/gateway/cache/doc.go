// Package cache keeps what policies cache: values and whole responses, in memory or in an external Redis.
package cache
