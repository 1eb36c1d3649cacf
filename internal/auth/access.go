package auth

import (
	"context"
	"strings"
	"time"
)

// Access decides who may use the side of an instance that is not for clients: server connections and the REST API. A caller comes with a token
// signed with an access key, which may do everything, or with an access token of an issuer, which may do what its roles allow. It is immutable.
type Access struct {
	// Keys checks tokens that are signed with an access key. It should know no temporary keys: these sign the tokens of clients, and who gets one
	// might do more with it than by its own roles. It is never nil.
	Keys *Verifier
	// Issuers checks access tokens; nil means that none are accepted.
	Issuers *Issuers
	// Temporary are the temporary access keys; nil means that there are none.
	Temporary *TemporaryKeys
}

// AuthorizeServer checks the token of an app server that opens a connection for hub. The error is an *Error for 401 or a *RoleError for 403.
func (a *Access) AuthorizeServer(ctx context.Context, token, hub string, now time.Time) (*Token, error) {
	verified, byKey, err := a.authorize(ctx, token, OpenServer, now)
	if err != nil || !byKey {
		return verified, err
	}
	return verified, verified.CheckServerAudience(hub)
}

// AuthorizeREST checks the token of a request of the data-plane REST API; see [Token.CheckRESTAudience] for the path and the query. The error is an
// *Error for 401 or a *RoleError for 403.
//
// The audience of an access token is the service and not the request, so of it alone nothing tells that the request's path is not the one that its
// caller meant.
func (a *Access) AuthorizeREST(ctx context.Context, token, rawPath, rawQuery string, p Permission, now time.Time) (*Token, error) {
	verified, byKey, err := a.authorize(ctx, token, p, now)
	if err != nil || !byKey {
		return verified, err
	}
	return verified, verified.CheckRESTAudience(rawPath, rawQuery)
}

// TemporaryKey hands out the current temporary access key to an app server that shows a fresh access token, of which expires is the end. The error is an
// *Error or a *RoleError, or says that there are no keys.
func (a *Access) TemporaryKey(ctx context.Context, token string, now time.Time) (key TemporaryKey, expires time.Time, err error) {
	if a.Issuers == nil || a.Temporary == nil {
		return TemporaryKey{}, time.Time{}, errNoTemporaryKeys
	}
	identity, err := a.Issuers.Verify(ctx, token, now)
	if err != nil {
		return TemporaryKey{}, time.Time{}, err
	}
	if err := identity.Check(GetTemporaryKey); err != nil {
		return TemporaryKey{}, time.Time{}, err
	}
	return a.Temporary.Current(now), identity.Expires, nil
}

// authorize checks all but the audience of a token by an access key, which depends on the request.
func (a *Access) authorize(ctx context.Context, token string, p Permission, now time.Time) (verified *Token, byKey bool, err error) {
	if a.Issuers == nil || !signedByIssuer(token) {
		verified, err = a.Keys.Verify(token, now)
		return verified, true, err
	}
	verified, identity, err := a.Issuers.verify(ctx, token, now)
	if err != nil {
		return nil, false, err
	}
	if err := identity.Check(p); err != nil {
		return nil, false, err
	}
	return verified, false, nil
}

// signedByIssuer reports whether the header of a token names an algorithm of issuers. The sets of both kinds have nothing in common, so a token
// cannot be taken for one of the other kind.
func signedByIssuer(token string) bool {
	if len(token) > maxTokenBytes {
		return false
	}
	text, _, _ := strings.Cut(token, ".")
	h, _, err := decodeHeader(text)
	return err == nil && (h.Algorithm == RS256 || h.Algorithm == ES256 || h.Algorithm == PS256)
}
