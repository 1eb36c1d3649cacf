package policy

import (
	"encoding/base64"
	"net/http"
)

// authenticationBasic is the authentication-basic policy (authentication-basic-policy).
type authenticationBasic struct{ username, password Value[string] }

func newAuthenticationBasic(b *Builder) Policy { return b.authenticationBasic() }

func (b *Builder) authenticationBasic() *authenticationBasic {
	return &authenticationBasic{username: b.String("username", Required), password: b.String("password", Required)}
}

// Run authenticates the request to the backend.
func (a *authenticationBasic) Run(x *Exchange) (Outcome, error) {
	return Continue, a.apply(x, x.Request.Header)
}

func (a *authenticationBasic) apply(x *Exchange, header http.Header) error {
	username, err := a.username.Get(x)
	if err != nil {
		return err
	}
	password, err := a.password.Get(x)
	if err != nil {
		return err
	}
	header["Authorization"] = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password))}
	return nil
}
