package app

import (
	"log/slog"
	"time"

	"github.com/hubgate/hubgate/internal/config"
)

// Options says what a node runs and where it listens. An address is a host and a port for net.Listen; "" leaves that
// listener out, and port 0 takes a free port.
type Options struct {
	SignalRAddress    string // clients, app servers and the data-plane REST API of the SignalR instances
	GatewayAddress    string // the gateways of the API Management services
	ManagementAddress string // the management plane and the portal
	MetricsAddress    string // metrics and health
	ChatRoomAddress   string // the chat room of the demo

	DataDir string // directory of the stored resources; made when it is not there
	NATSURL string // an outside NATS to use in the place of the embedded one; "" runs the embedded one in DataDir

	Config *config.Config // written into the store at start; nil writes nothing
	Demo   bool           // make the instance ASRS1, the service APIM1 with its two APIs, and the chat room

	Logger *slog.Logger

	renewalCheck time.Duration // how often certificates of an ACME server are looked at; 0 means the default
}

// Addresses are the URLs under which a node that is ready is reached, and what a script needs to use it.
// A field is "" when that part does not run.
type Addresses struct {
	ChatRoom   string
	Gateway    string
	SignalR    string
	Management string // https
	Portal     string
	Metrics    string

	CAFile           string // the certificate authority that signed the management certificate, as a PEM file
	ConnectionString string // of the default instance, with its ClientEndpoint when a gateway runs
	AdminToken       string // bearer token of the management plane
}
