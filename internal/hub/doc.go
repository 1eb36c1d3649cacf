// Package hub is the routing core: which clients a hub has, which groups and users they belong to, and which server connection carries each.
//
// Names: a [Registry] holds the hubs of one SignalR instance. A [Hub] holds its [Client] values in shards. A client is reached through its
// [Receiver], which is its session, and belongs to a [Link], which is a server connection. Payloads stay opaque bytes.
//
// Lock order: A → B means that B may be taken while A is held, never the other way round.
//
//	Client.mu → a shard of clients, of groups or of users
//	Hub.mu → nothing
//	a shard of clients → nothing
//	a shard of users → nothing
//
// No lock is held while a Receiver or a Link is called.
package hub
