// Package appserver is a SDK for app servers behind Azure SignalR Service or Hubgate: hubs as Go types.
//
// A hub is any Go value; its exported methods are what clients may invoke. An App connects hubs to the service that a
// connection string names, and each hub answers its clients' negotiate requests with a redirect to that service:
//
//	app, err := appserver.New(connectionString, appserver.Options{})
//	chat, err := app.Handle("chat", &ChatHub{}, appserver.HubOptions{})
//	mux.Handle("/chat/negotiate", chat.Negotiator())
//	err = app.Run(ctx) // until ctx is done
//
// # Hub methods
//
// Clients find a method by its name without regard to case. A method may take, in this order:
//
//   - a *Context or a context.Context: the call, who made it, and the way back to clients;
//   - any number of arguments, decoded from JSON or MessagePack into their Go types;
//   - among these, upload streams: <-chan T or iter.Seq2[T, error].
//
// It may return nothing, an error, a value, or a value and an error. A value of type <-chan T, iter.Seq[T] or
// iter.Seq2[T, error] is a stream to the client. What an error says reaches the client only when it is a *HubError, or when
// HubOptions.DetailedErrors is on.
//
// # Values
//
// JSON follows github.com/go-json-experiment/json (encoding/json/v2) and its struct tags, with names read without regard
// to case and []byte as base64. MessagePack writes structs as maps from the name in a `msgpack` tag, or else the Go field's
// name, which is what .NET hubs write and their clients expect; reading ignores case, and a time.Time is the timestamp
// extension.
//
// # Management
//
// What only sends, changes groups, closes connections or lets clients in is no app server: a ServiceManager does that from
// anywhere, with REST requests or over connections of its own. A Hub and a ServiceHub address clients in the same way.
package appserver
