package session

// Category says why a client connection ended: the values of ConnectionCloseCategory in Azure's metrics.
type Category string

// The categories.
const (
	Normal                      Category = "Normal"                      // the client or the app server ended it as usual
	Throttled                   Category = "Throttled"                   // a rate or a quota was reached
	PingTimeout                 Category = "PingTimeout"                 // the client was silent, or did not poll
	NoAvailableServerConnection Category = "NoAvailableServerConnection" // the hub has no app server
	InvokeUpstreamFailed        Category = "InvokeUpstreamFailed"
	SlowClient                  Category = "SlowClient" // too much waited for the client
	HandshakeError              Category = "HandshakeError"
	ServerConnectionNotFound    Category = "ServerConnectionNotFound" // the app server that the client is sticky to is not there
	ServerConnectionClosed      Category = "ServerConnectionClosed"   // the app server went away
	ServiceTransientError       Category = "ServiceTransientError"
	BadRequest                  Category = "BadRequest" // the client broke the rules of its transport
	ClosedByAppServer           Category = "ClosedByAppServer"
	ServiceReload               Category = "ServiceReload" // the service goes down or rebalances
	ServiceModeSwitched         Category = "ServiceModeSwitched"
	Unauthorized                Category = "Unauthorized"
)
