// Package identity gets the access tokens with which the gateway calls others under its own name, as the managed identity of an
// API Management service does on Azure.
package identity
