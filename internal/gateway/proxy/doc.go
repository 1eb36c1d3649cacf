// Package proxy sends requests of the gateway to backends over the network: HTTP with streaming bodies both ways, and
// WebSockets, whose bytes it relays after the handshake.
//
// What the client sent has been parsed by net/http and is framed anew here, so nothing that a client does to lengths,
// encodings or line ends reaches a backend as it was sent.
package proxy
