package auth

// Prefixes of the long claim types.
const (
	xmlsoap2005     = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	xmlsoapClaims   = "http://schemas.xmlsoap.org/claims/"
	identity2008    = "http://schemas.microsoft.com/ws/2008/06/identity/claims/"
	identityClaims  = "http://schemas.microsoft.com/identity/claims/"
	certField       = "http://schemas.microsoft.com/2012/12/certificatecontext/field/"
	certExtension   = "http://schemas.microsoft.com/2012/12/certificatecontext/extension/"
	deviceClaims    = "http://schemas.microsoft.com/2012/01/devicecontext/claims/"
	requestClaims   = "http://schemas.microsoft.com/2012/01/requestcontext/claims/"
	microsoft2012   = "http://schemas.microsoft.com/ws/2012/01/"
	microsoftClaims = "http://schemas.microsoft.com/claims/"

	longNameIdentifier = xmlsoap2005 + "nameidentifier"
)

// ServiceClaims are the claims for OpenConnection: all claims of the token in their order, system ones included (the
// app server's SDK drops those itself), with their short names turned into the long ones that .NET apps look for, since
// nothing in the SDK does that. sub becomes the name identifier, unless the token also has nameid: then it stays, as an
// app sees it in plain ASP.NET Core.
func (t *Token) ServiceClaims() []Claim {
	_, hasNameID := t.First(ClaimNameID)
	claims := make([]Claim, len(t.Claims))
	for i, c := range t.Claims {
		if c.Type != ClaimSubject || !hasNameID {
			c.Type = longClaimType(c.Type)
		}
		claims[i] = c
	}
	return claims
}

// longClaimType is the type under which .NET knows a claim of a token: the inbound claim map of its JWT reader. A name
// that is not in the map stays what it is.
func longClaimType(name string) string {
	switch name {
	case "nameid", "sub":
		return longNameIdentifier
	case "unique_name":
		return xmlsoap2005 + "name"
	case "email":
		return xmlsoap2005 + "emailaddress"
	case "given_name":
		return xmlsoap2005 + "givenname"
	case "family_name":
		return xmlsoap2005 + "surname"
	case "gender":
		return xmlsoap2005 + "gender"
	case "birthdate":
		return xmlsoap2005 + "dateofbirth"
	case "website":
		return xmlsoap2005 + "webpage"
	case "upn":
		return xmlsoap2005 + "upn"
	case "ppid":
		return xmlsoap2005 + "privatepersonalidentifier"
	case "certthumbprint":
		return xmlsoap2005 + "thumbprint"
	case "certpublickey":
		return xmlsoap2005 + "rsa"
	case "denyonlysid":
		return xmlsoap2005 + "denyonlysid"
	case "role", "roles":
		return identity2008 + "role"
	case "primarysid":
		return identity2008 + "primarysid"
	case "primarygroupsid":
		return identity2008 + "primarygroupsid"
	case "groupsid":
		return identity2008 + "groupsid"
	case "denyonlyprimarysid":
		return identity2008 + "denyonlyprimarysid"
	case "denyonlyprimarygroupsid":
		return identity2008 + "denyonlyprimarygroupsid"
	case "winaccountname":
		return identity2008 + "windowsaccountname"
	case "authmethod":
		return identity2008 + "authenticationmethod"
	case "certserialnumber":
		return identity2008 + "serialnumber"
	case "oid":
		return identityClaims + "objectidentifier"
	case "tid":
		return identityClaims + "tenantid"
	case "scp":
		return identityClaims + "scope"
	case "idp":
		return identityClaims + "identityprovider"
	case "group":
		return xmlsoapClaims + "Group"
	case "commonname":
		return xmlsoapClaims + "CommonName"
	case "adfs1email":
		return xmlsoapClaims + "EmailAddress"
	case "adfs1upn":
		return xmlsoapClaims + "UPN"
	case "acr":
		return microsoftClaims + "authnclassreference"
	case "amr":
		return microsoftClaims + "authnmethodsreferences"
	case "actort":
		return "http://schemas.xmlsoap.org/ws/2009/09/identity/claims/actor"
	}
	return longContextType(name)
}

// longContextType is the part of the map that Active Directory Federation Services brought: certificate, device and
// request context, and password.
func longContextType(name string) string {
	switch name {
	case "certissuer":
		return certField + "issuer"
	case "certissuername":
		return certField + "issuername"
	case "certnotafter":
		return certField + "notafter"
	case "certnotbefore":
		return certField + "notbefore"
	case "certrawdata":
		return certField + "rawdata"
	case "certsignaturealgorithm":
		return certField + "signaturealgorithm"
	case "certsubject":
		return certField + "subject"
	case "certsubjectname":
		return certField + "subjectname"
	case "certx509version":
		return certField + "x509version"
	case "certapppolicy":
		return certExtension + "applicationpolicy"
	case "certauthoritykeyidentifier":
		return certExtension + "authoritykeyidentifier"
	case "certbasicconstraints":
		return certExtension + "basicconstraints"
	case "certeku":
		return certExtension + "eku"
	case "certkeyusage":
		return certExtension + "keyusage"
	case "certpolicy":
		return certExtension + "certificatepolicy"
	case "certsubjectaltname":
		return certExtension + "san"
	case "certsubjectkeyidentifier":
		return certExtension + "subjectkeyidentifier"
	case "certtemplateinformation":
		return certExtension + "certificatetemplateinformation"
	case "certtemplatename":
		return certExtension + "certificatetemplatename"
	case "devicedispname":
		return deviceClaims + "displayname"
	case "deviceid":
		return deviceClaims + "identifier"
	case "deviceismanaged":
		return deviceClaims + "ismanaged"
	case "deviceostype":
		return deviceClaims + "ostype"
	case "deviceosver":
		return deviceClaims + "osversion"
	case "deviceowner":
		return deviceClaims + "userowner"
	case "deviceregid":
		return deviceClaims + "registrationid"
	case "isregistereduser":
		return deviceClaims + "isregistereduser"
	case "clientapplication":
		return requestClaims + "x-ms-client-application"
	case "clientip":
		return requestClaims + "x-ms-client-ip"
	case "clientuseragent":
		return requestClaims + "x-ms-client-user-agent"
	case "endpointpath":
		return requestClaims + "x-ms-endpoint-absolute-path"
	case "forwardedclientip":
		return requestClaims + "x-ms-forwarded-client-ip"
	case "proxy":
		return requestClaims + "x-ms-proxy"
	case "relyingpartytrustid":
		return requestClaims + "relyingpartytrustid"
	case "insidecorporatenetwork":
		return microsoft2012 + "insidecorporatenetwork"
	case "pwdchgurl":
		return microsoft2012 + "passwordchangeurl"
	case "pwdexpdays":
		return microsoft2012 + "passwordexpirationdays"
	case "pwdexptime":
		return microsoft2012 + "passwordexpirationtime"
	}
	return name
}
