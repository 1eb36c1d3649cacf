// Package match finds the API and the operation that a request is for: the longest API URL suffix, then the version and
// the revision, then the operation by method and URL template.
//
// A [Table] is built once from all APIs of a service and never changes; [Table.Match] reads it from any number of
// goroutines and allocates nothing. The rules are those of API Management (api-management-howto-api-inspector,
// mock-api-responses and add-api-manually), with one addition: an HTTP and a WebSocket API may own the same suffix, and the
// request's upgrade decides.
package match
