// Package gateway is the run-time half of API Management: it matches a request to an operation, runs the policies of its
// scopes, and forwards it to a backend.
//
// All resources of a service are compiled into one immutable snapshot; a change compiles a new one and switches a single
// pointer, so a request sees one configuration from its beginning to its end, and a bad change leaves the old one in place.
// A request's state is one transaction, which owns the [policy.Exchange] that policies see.
package gateway
