// Package openapi turns OpenAPI documents into an API Management API with its operations and definitions, and back.
//
// It reads OpenAPI 2 (Swagger), 3.0 and 3.1 in JSON and YAML, by the rules of "API import restrictions and known issues" of API
// Management: names of operations are normalized operationIds, required query parameters become part of the URL template, definitions
// move to a schema of the API, and what API Management has no place for is named in a warning. It never opens a file or a connection:
// a reference to another document is an error.
//
// Documents are read into a tree that keeps the order of members and the place of each value, for the order of operations decides their
// names when two collide, and an error without its line is of little use.
package openapi
