package svcproto

// OptionalString is a text that may be nil on the wire, where nil means something else than an empty text.
type OptionalString struct {
	Value string // the text; empty when Valid is false
	Valid bool   // false means nil
}

// Some is the OptionalString that holds s.
func Some(s string) OptionalString { return OptionalString{Value: s, Valid: true} }

// OptionalInt is a number that may be nil or absent on the wire.
type OptionalInt struct {
	Value int  // within 32 bits; 0 when Valid is false
	Valid bool // false means nil or absent
}

// SomeInt is the OptionalInt that holds n, which must fit in 32 bits.
func SomeInt(n int) OptionalInt { return OptionalInt{Value: n, Valid: true} }

// Claim is one claim of a user. Claims are a list, not a map: types may repeat (several roles) and their order is kept.
type Claim struct {
	Type  string // the claim type, for well-known ones a long URI
	Value string
}

// Header is one header of a client's request. Headers keep their order; names are compared without regard to case.
type Header struct {
	Name   string
	Values []string
}

// The headers that the service adds to an [OpenConnection] or [CloseConnection] for the app server.
const (
	// HeaderInstanceID holds the id of the service instance that holds the client; an offline ping names it.
	HeaderInstanceID = "Asrs-Instance-Id"
	// HeaderIsDiagnosticClient is "true" for a client whose messages are to be logged.
	HeaderIsDiagnosticClient = "Asrs-Is-Diagnostic-Client"
	// HeaderMigrateFrom, on OpenConnection, names the server that the client comes from.
	HeaderMigrateFrom = "Asrs-Migrate-From"
	// HeaderMigrateTo, on CloseConnection, names the server that the client goes to.
	HeaderMigrateTo = "Asrs-Migrate-To"
)

// Payload is what clients of one hub protocol get: hub messages that are encoded and framed already.
type Payload struct {
	Protocol []byte // name of the hub protocol ("json", "messagepack", "blazorpack"), compared without regard to case
	Data     []byte
}
