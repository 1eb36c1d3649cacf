package policy

import (
	"math"
	"net/http"
	"strings"
)

// mockResponse is the mock-response policy (mock-response-policy).
type mockResponse struct {
	status      int
	contentType string
	index       int // from 1; 0: the first
}

func newMockResponse(b *Builder) Policy {
	status := b.Int("status-code", http.StatusOK, 100, 599, LiteralOnly)
	index := b.Int("index", 0, 1, math.MaxInt32, LiteralOnly)
	m := &mockResponse{contentType: b.Literal("content-type", "", 0)}
	m.status, _ = status.Known()
	m.index, _ = index.Known()
	return m
}

// Run answers with an example of the operation, or with an empty body when it declares none.
func (m *mockResponse) Run(x *Exchange) (Outcome, error) {
	x.Respond(m.status)
	if x.Operation == nil {
		return End, nil
	}
	for _, r := range x.Operation.Responses {
		if r.StatusCode != m.status {
			continue
		}
		for _, representation := range r.Representations {
			if m.contentType != "" && !strings.EqualFold(representation.ContentType, m.contentType) {
				continue
			}
			if n := max(m.index, 1); n <= len(representation.Examples) {
				x.Response.Header["Content-Type"] = []string{representation.ContentType}
				x.Response.Body.Set([]byte(representation.Examples[n-1]))
			}
			return End, nil
		}
	}
	return End, nil
}
