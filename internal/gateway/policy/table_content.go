package policy

// contentPolicies are the policies that transform and validate messages, and those that observe them.
func contentPolicies() map[string]Definition {
	return map[string]Definition{
		"cross-domain":          {Sections: Inbound, Scopes: Global, TopLevel: true, Once: true, New: newCrossDomain},
		"emit-metric":           {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newEmitMetric},
		"find-and-replace":      {Sections: anyMessage, Scopes: AnyScope, New: newFindAndReplace},
		"json-to-xml":           {Sections: Inbound | Outbound | OnError, Scopes: AnyScope, New: newJSONToXML},
		"jsonp":                 {Sections: Outbound, Scopes: AnyScope, New: newJSONP},
		"log-to-eventhub":       {Sections: anyMessage, Scopes: AnyScope, Handshake: true, New: newLogToEventHub},
		"proxy":                 {Sections: Inbound, Scopes: AnyScope, Handshake: true, New: newProxy},
		"redirect-content-urls": {Sections: Inbound | Outbound, Scopes: AnyScope, New: newRedirectContentURLs},
		"validate-content":      {Sections: Inbound | Outbound | OnError, Scopes: AnyScope, New: newValidateContent},
		"validate-headers":      {Sections: Outbound | OnError, Scopes: AnyScope, New: newValidateHeaders},
		"validate-parameters":   {Sections: Inbound, Scopes: AnyScope, New: newValidateParameters},
		"validate-status-code":  {Sections: Outbound | OnError, Scopes: AnyScope, New: newValidateStatusCode},
		"xml-to-json":           {Sections: Inbound | Outbound | OnError, Scopes: AnyScope, New: newXMLToJSON},
	}
}

// refusedPolicies are those of the policy reference that cannot work here, each with its reason.
func refusedPolicies() map[string]Definition {
	const (
		language = "there is no language model service behind the gateway; call one with send-request"
		dapr     = "there is no Dapr runtime beside the gateway; call the service by its URL"
		graphQL  = "GraphQL APIs are not supported; forward GraphQL requests as HTTP"
		resolver = "there are no GraphQL resolvers; use send-request"
	)
	refused := map[string]Definition{}
	for reason, names := range map[string][]string{
		language: {"llm-token-limit", "llm-emit-token-metric", "llm-semantic-cache-lookup", "llm-semantic-cache-store", "llm-content-safety",
			"azure-openai-token-limit", "azure-openai-emit-token-metric", "azure-openai-semantic-cache-lookup", "azure-openai-semantic-cache-store"},
		dapr:     {"publish-to-dapr", "invoke-dapr-binding"},
		graphQL:  {"validate-graphql-request"},
		resolver: {"http-data-source", "sql-data-source", "cosmosdb-data-source", "publish-event"},
		"OData APIs are not supported; forward OData requests as HTTP":                          {"validate-odata-request"},
		"there is no Service Bus client; send messages with send-request to its HTTPS endpoint": {"send-service-bus-message"},
	} {
		for _, name := range names {
			refused[name] = Definition{Refused: reason}
		}
	}
	return refused
}
