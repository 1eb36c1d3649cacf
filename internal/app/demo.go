package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
)

// The names of the demo's story.
const (
	demoInstance = "ASRS1"
	demoService  = "APIM1"
)

// demoPolicy lets the chat room's page, which comes from another port, call the negotiate endpoint with credentials.
const demoPolicy = `<policies>
  <inbound>
    <base />
    <cors allow-credentials="true">
      <allowed-origins>
%s      </allowed-origins>
      <allowed-methods preflight-result-max-age="300">
        <method>GET</method>
        <method>POST</method>
        <method>DELETE</method>
      </allowed-methods>
      <allowed-headers>
        <header>*</header>
      </allowed-headers>
    </cors>
  </inbound>
  <backend>
    <base />
  </backend>
  <outbound>
    <base />
  </outbound>
  <on-error>
    <base />
  </on-error>
</policies>
`

// demoResources are the instance, the service in front of it, and its two APIs on one suffix: what comes with an upgrade is the WebSocket
// API's, everything else the HTTP API's, so that clients keep their fallback to server-sent events and long polling. An instance that is
// stored already keeps its keys.
func (n *node) demoResources(ctx context.Context) ([]resource.Resource, error) {
	id := resource.NewID(resource.SignalRService, "signalR", demoInstance)
	instance, _, err := store.Get[resource.SignalR](ctx, n.store, id)
	switch {
	case resource.KindOf(err) == resource.NotFound:
		instance = &resource.SignalR{ID: id, Mode: resource.ModeDefault, PrimaryKey: auth.NewAccessKey(), SecondaryKey: auth.NewAccessKey()}
	case err != nil:
		return nil, err
	}
	instance.HostNames = []string{"asrs1.service.signalr.localhost"}
	all := []resource.Resource{instance}

	signalR := n.url(listenSignalR)
	if signalR == "" || n.url(listenGateway) == "" {
		return all, nil // without both there is nothing to put in front of the other
	}
	service := resource.NewID(resource.ApiManagement, "service", demoService)
	negotiate := service.Child("apis", "signalr")
	connect := service.Child("apis", "signalr-connect")
	all = append(all,
		&resource.ApiManagementService{ID: service, HostNames: []string{"apim1.azure-api.localhost"}},
		&resource.API{ID: negotiate, DisplayName: "SignalR", Type: resource.APITypeHTTP, Path: "client", ServiceURL: signalR + "/client"},
		&resource.API{ID: connect, DisplayName: "SignalR connect", Type: resource.APITypeWebSocket, Path: "client", ServiceURL: "ws" + strings.TrimPrefix(signalR, "http") + "/client/"},
		&resource.Policy{ID: negotiate.Child("policies", "policy"), Format: resource.PolicyRawXML, Value: fmt.Sprintf(demoPolicy, n.demoOrigins())},
	)
	for _, o := range []struct{ name, method, template string }{
		{"negotiate", "POST", "/negotiate"},
		{"send", "POST", "/"},
		{"receive", "GET", "/"},
		{"end", "DELETE", "/"},
	} {
		all = append(all, &resource.Operation{ID: negotiate.Child("operations", o.name), Method: o.method, URLTemplate: o.template})
	}
	return all, nil
}

// demoOrigins are the chat room's, under each name that a browser may have for this machine.
func (n *node) demoOrigins() string {
	room := n.url(listenChatRoom)
	if room == "" {
		room = "http://localhost"
	}
	var b strings.Builder
	for _, host := range []string{"localhost", "127.0.0.1"} {
		fmt.Fprintf(&b, "        <origin>%s</origin>\n", strings.Replace(room, "localhost", host, 1))
	}
	return b.String()
}
