// Package transform rewrites message bodies for the transformation policies: JSON to XML and back, links, and Liquid templates.
//
// It knows bytes and nothing of requests. Every function bounds the depth of what it reads; the size is bounded by its callers.
package transform
