// Package openid fetches and keeps the metadata of OpenID Connect issuers: who they are and with which keys they sign.
package openid
