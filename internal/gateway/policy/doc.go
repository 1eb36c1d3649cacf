// Package policy compiles API Management policy documents into pipelines and runs them over exchanges.
//
// A document is compiled once for its scope, then the documents of the scopes around an operation are flattened into one
// immutable [Pipeline]: `<base/>` is gone by then, and so is every fault that can be found without a request. Documents are
// rarely XML as submitted, because expressions hold quotes and angle brackets; scan.go takes the expressions out before
// the XML parser sees the rest. [Policies] is the table of all policies; each has a file of its own.
package policy
