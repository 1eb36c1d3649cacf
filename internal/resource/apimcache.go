package resource

// Cache is Microsoft.ApiManagement/service/caches: an external, Redis-compatible cache for the policies of the gateway.
type Cache struct {
	ID          ID     `json:"id"`
	Description string `json:"description,omitempty"`

	// ConnectionString says where the server is, for example host:6380,password=…,ssl=True. It is secret.
	ConnectionString string `json:"connectionString"`
	// UseFromLocation is the region of the gateways that use the cache; here every gateway of the service does. The cache named
	// default wins over others.
	UseFromLocation string `json:"useFromLocation,omitempty"`
	// AzureResourceID names the server's own resource on Azure; it is kept and has no effect.
	AzureResourceID string `json:"resourceId,omitempty"`
}

// ResourceID is the id of the cache.
func (c *Cache) ResourceID() ID { return c.ID }

// Validate checks the id and that there is a connection string; what is in it is checked where it is used.
func (c *Cache) Validate() error {
	if err := checkType(c.ID, "service/caches", "a cache", "APIM1", "caches", "NAME"); err != nil {
		return err
	}
	if err := checkName(c.ID, c.ID.Name(), 80); err != nil {
		return err
	}
	if c.ConnectionString == "" {
		return Invalidf(c.ID, "connectionString", "a cache needs a connection string; a server cannot be looked up by its resource id")
	}
	if err := checkLength(c.ID, "connectionString", c.ConnectionString, 400); err != nil {
		return err
	}
	return checkLength(c.ID, "description", c.Description, 2000)
}

var _ Resource = (*Cache)(nil)
