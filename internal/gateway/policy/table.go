package policy

import "maps"

// anyMessage is the sections in which a policy works on a request or a response.
const anyMessage = AnySection

// Policies is the table of all policies that Hubgate knows, by element name. Each call makes a new one, which its owner may
// add to. Sections and scopes are those of the policy reference (api-management-policies).
func Policies() map[string]Definition {
	table := basicPolicies()
	maps.Copy(table, contentPolicies())
	maps.Copy(table, externalPolicies())
	maps.Copy(table, refusedPolicies())
	return table
}

// basicPolicies are the policies that route requests and set their parts.
func basicPolicies() map[string]Definition {
	return map[string]Definition{
		"check-header":        {Sections: Inbound, Scopes: AnyScope, Handshake: true, New: newCheckHeader},
		"choose":              {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newChoose},
		"cors":                {Sections: Inbound, Scopes: AnyScope, TopLevel: true, Once: true, New: newCORS},
		"forward-request":     {Sections: Backend, Scopes: AnyScope, Handshake: true, New: newForwardRequest},
		"include-fragment":    {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newIncludeFragment},
		"ip-filter":           {Sections: Inbound, Scopes: AnyScope, Handshake: true, New: newIPFilter},
		"mock-response":       {Sections: Inbound | Outbound | OnError, Scopes: AnyScope, New: newMockResponse},
		"return-response":     {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newReturnResponse},
		"rewrite-uri":         {Sections: Inbound, Scopes: AnyScope, Handshake: true, New: newRewriteURI},
		"set-backend-service": {Sections: Inbound | Backend, Scopes: AnyScope, Handshake: true, New: newSetBackendService},
		"set-body":            {Sections: anyMessage, Scopes: AnyScope, New: newSetBody},
		"set-header":          {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newSetHeader},
		"set-method":          {Sections: Inbound | OnError, Scopes: AnyScope, New: newSetMethod},
		"set-query-parameter": {Sections: Inbound | Backend, Scopes: AnyScope, Handshake: true, New: newSetQueryParameter},
		"set-status":          {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newSetStatus},
		"set-variable":        {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newSetVariable},
		"trace":               {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newTrace},
		"xsl-transform":       {Refused: "there is no XSLT 1.0 processor; transform in the backend or with an expression"},
	}
}
