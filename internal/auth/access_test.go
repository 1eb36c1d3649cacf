package auth

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/hubgate/hubgate/internal/resource"
)

// status is how a request with that error is answered.
func status(err error) int {
	if err == nil {
		return 200
	}
	if _, ok := errors.AsType[*RoleError](err); ok {
		return 403
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return 401
	}
	return 500
}

func TestAccess(t *testing.T) {
	t.Parallel()
	const path, query = "/api/hubs/chat/users/joe", "api-version=2022-06-01"
	issuers := newProvider().issuers(t, nil)
	temporary := NewTemporaryKeys(instanceWith("salt"))
	byKey := func(audience string) string {
		return mustSign(t, Claim{ClaimAudience, audience}, Claim{ClaimExpires, fmt.Sprint(now.Add(time.Hour).Unix())})
	}
	byRole := func(roles ...resource.Role) string {
		return accessToken(t, jose.ES256, signingKeys().ec, "ec", goodClaims(now).with("roles", roles))
	}
	temporaryServer, err := temporary.Current(now).Sign(HS256, Claim{ClaimAudience, "http://localhost/server/?hub=chat"}, Claim{ClaimExpires, fmt.Sprint(now.Add(time.Hour).Unix())})
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{
		"server key":        byKey("http://localhost/server/?hub=chat"),
		"REST key":          byKey("http://localhost" + path),
		"temporary key":     temporaryServer,
		"app server":        byRole(resource.RoleAppServer),
		"owner":             byRole(resource.RoleServiceOwner),
		"REST owner":        byRole(resource.RoleRESTOwner),
		"reader":            byRole(resource.RoleRESTReader),
		"reader and server": byRole(resource.RoleRESTReader, resource.RoleAppServer),
		"nobody":            byRole(),
		"forged":            accessToken(t, jose.RS256, signingKeys().rsa2, "rsa", goodClaims(now)),
		"nothing":           "",
	}
	type answers struct{ server, read, write, key int }
	full := &Access{Keys: NewVerifier([]string{emulatorKey}), Issuers: issuers, Temporary: temporary}
	keysOnly := &Access{Keys: NewVerifier([]string{emulatorKey})}                          // disableAadAuth
	issuersOnly := &Access{Keys: NewVerifier(nil), Issuers: issuers, Temporary: temporary} // disableLocalAuth
	for _, c := range []struct {
		token                   string
		full, keysOnly, without answers
	}{
		{"server key", answers{200, 401, 401, 401}, answers{200, 401, 401, 500}, answers{401, 401, 401, 401}},
		{"REST key", answers{401, 200, 200, 401}, answers{401, 200, 200, 500}, answers{401, 401, 401, 401}},
		{"temporary key", answers{401, 401, 401, 401}, answers{401, 401, 401, 500}, answers{401, 401, 401, 401}},
		{"app server", answers{200, 403, 403, 200}, answers{401, 401, 401, 500}, answers{200, 403, 403, 200}},
		{"owner", answers{200, 200, 200, 200}, answers{401, 401, 401, 500}, answers{200, 200, 200, 200}},
		{"REST owner", answers{403, 200, 200, 403}, answers{401, 401, 401, 500}, answers{403, 200, 200, 403}},
		{"reader", answers{403, 200, 403, 403}, answers{401, 401, 401, 500}, answers{403, 200, 403, 403}},
		{"reader and server", answers{200, 200, 403, 200}, answers{401, 401, 401, 500}, answers{200, 200, 403, 200}},
		{"nobody", answers{403, 403, 403, 403}, answers{401, 401, 401, 500}, answers{403, 403, 403, 403}},
		{"forged", answers{401, 401, 401, 401}, answers{401, 401, 401, 500}, answers{401, 401, 401, 401}},
		{"nothing", answers{401, 401, 401, 401}, answers{401, 401, 401, 500}, answers{401, 401, 401, 401}},
	} {
		for name, a := range map[string]struct {
			access *Access
			want   answers
		}{"both": {full, c.full}, "keys only": {keysOnly, c.keysOnly}, "issuers only": {issuersOnly, c.without}} {
			t.Run(name+"/"+c.token, func(t *testing.T) {
				t.Parallel()
				token, ctx := tokens[c.token], t.Context()
				_, server := a.access.AuthorizeServer(ctx, token, "chat", now)
				_, read := a.access.AuthorizeREST(ctx, token, path, query, CheckExistence, now)
				_, write := a.access.AuthorizeREST(ctx, token, path, query, UseREST, now)
				key, expires, err := a.access.TemporaryKey(ctx, token, now)
				if got := (answers{status(server), status(read), status(write), status(err)}); got != a.want {
					t.Errorf("server connection, read, write, temporary key: %v, want %v", got, a.want)
				}
				if err == nil && (key != temporary.Current(now) || !expires.Equal(now.Add(time.Hour))) {
					t.Errorf("the key is %v until %v", key, expires)
				}
			})
		}
	}
}
