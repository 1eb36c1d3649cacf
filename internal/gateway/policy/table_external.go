package policy

// externalPolicies are the policies that limit, authenticate, call and cache, by element name.
func externalPolicies() map[string]Definition {
	return map[string]Definition{
		"authentication-basic":            {Sections: Inbound, Scopes: AnyScope, Handshake: true, New: newAuthenticationBasic},
		"authentication-certificate":      {Sections: Inbound, Scopes: AnyScope, Handshake: true, New: newAuthenticationCertificate},
		"authentication-managed-identity": {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newManagedIdentity},
		"cache-lookup":                    {Sections: Inbound, Scopes: AnyScope, Once: true, New: newCacheLookup},
		"cache-lookup-value":              {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newCacheLookupValue},
		"cache-remove-value":              {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newCacheRemoveValue},
		"cache-store":                     {Sections: Outbound, Scopes: AnyScope, Once: true, New: newCacheStore},
		"cache-store-value":               {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newCacheStoreValue},
		"cache-value":                     {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newCacheValue},
		"limit-concurrency":               {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newLimitConcurrency},
		"quota":                           {Sections: Inbound, Scopes: ProductScope, Once: true, Handshake: true, New: newQuota},
		"quota-by-key":                    {Sections: Inbound, Scopes: AnyScope, Handshake: true, New: newQuotaByKey},
		"rate-limit":                      {Sections: Inbound, Scopes: ProductScope | APIScope | OperationScope, Once: true, Handshake: true, New: newRateLimit},
		"rate-limit-by-key":               {Sections: Inbound, Scopes: AnyScope, Handshake: true, New: newRateLimitByKey},
		"retry":                           {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newRetry},
		"send-one-way-request":            {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newSendOneWayRequest},
		"send-request":                    {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newSendRequest},
		"validate-azure-ad-token":         {Sections: Inbound, Scopes: AnyScope, Handshake: true, New: newValidateAzureADToken},
		"validate-client-certificate":     {Sections: Inbound, Scopes: AnyScope, Handshake: true, New: newValidateClientCertificate},
		"validate-jwt":                    {Sections: Inbound, Scopes: AnyScope, Handshake: true, New: newValidateJWT},
		"wait":                            {Sections: Inbound | Backend | Outbound, Scopes: AnyScope, Handshake: true, New: newWait},

		"get-authorization-context": {Refused: "it needs the credential manager of Azure; get the token with send-request or authentication-managed-identity"},
	}
}
