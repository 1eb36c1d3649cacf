package resource

// Types are the types of resources that there are, as [ID.Type] gives them, each with what makes an empty one.
func Types() map[string]func() Resource {
	const apim = ApiManagement + "/service"
	return map[string]func() Resource{
		SignalRService + "/signalR":        func() Resource { return new(SignalR) },
		apim:                               func() Resource { return new(ApiManagementService) },
		apim + "/apis":                     func() Resource { return new(API) },
		apim + "/apiVersionSets":           func() Resource { return new(APIVersionSet) },
		apim + "/apis/operations":          func() Resource { return new(Operation) },
		apim + "/policies":                 func() Resource { return new(Policy) },
		apim + "/apis/policies":            func() Resource { return new(Policy) },
		apim + "/apis/operations/policies": func() Resource { return new(Policy) },
		apim + "/products":                 func() Resource { return new(Product) },
		apim + "/products/apis":            func() Resource { return new(ProductAPI) },
		apim + "/products/policies":        func() Resource { return new(Policy) },
		apim + "/namedValues":              func() Resource { return new(NamedValue) },
		apim + "/backends":                 func() Resource { return new(Backend) },
		apim + "/policyFragments":          func() Resource { return new(PolicyFragment) },
		apim + "/subscriptions":            func() Resource { return new(Subscription) },
		apim + "/apis/diagnostics":         func() Resource { return new(Diagnostic) },
		apim + "/apis/operations/tags":     func() Resource { return new(Link) },
		apim + "/apis/releases":            func() Resource { return new(APIRelease) },
		apim + "/apis/schemas":             func() Resource { return new(APISchema) },
		apim + "/apis/tags":                func() Resource { return new(Link) },
		apim + "/caches":                   func() Resource { return new(Cache) },
		apim + "/certificates":             func() Resource { return new(Certificate) },
		apim + "/diagnostics":              func() Resource { return new(Diagnostic) },
		apim + "/groups":                   func() Resource { return new(Group) },
		apim + "/groups/users":             func() Resource { return new(Link) },
		apim + "/loggers":                  func() Resource { return new(Logger) },
		apim + "/products/groups":          func() Resource { return new(Link) },
		apim + "/products/tags":            func() Resource { return new(Link) },
		apim + "/schemas":                  func() Resource { return new(Schema) },
		apim + "/tags":                     func() Resource { return new(Tag) },
		apim + "/users":                    func() Resource { return new(User) },
	}
}
