package resource

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// ApiManagementService is Microsoft.ApiManagement/service: the root of a gateway's configuration.
type ApiManagementService struct {
	ID ID `json:"id"`

	// HostNames picks the service when several share a port; without regard to case, no port. Empty: only as the default one.
	HostNames []string `json:"hostNames,omitempty"`

	PublisherName  string `json:"publisherName,omitempty"`
	PublisherEmail string `json:"publisherEmail,omitempty"`
}

// ResourceID is the id of the service.
func (s *ApiManagementService) ResourceID() ID { return s.ID }

var apimServiceName = regexp.MustCompile(`^[a-zA-Z](?:[a-zA-Z0-9-]{0,48}[a-zA-Z0-9])?$`)

// Validate checks the id, the name and the host names.
func (s *ApiManagementService) Validate() error {
	if err := checkType(s.ID, "service", "an API Management service", "NAME"); err != nil {
		return err
	}
	if !apimServiceName.MatchString(s.ID.Name()) {
		return Invalidf(s.ID, "name", "an API Management service's name has 1 to 50 letters, digits and hyphens, begins with a letter and does not end with a hyphen")
	}
	for i, h := range s.HostNames {
		if h == "" || strings.ContainsAny(h, "/: \t") {
			return Invalidf(s.ID, "hostNames", "host name %d, %q, must be a bare name without scheme, port or path", i, h)
		}
	}
	return nil
}

// APIType is the kind of an API, fixed when it is made.
type APIType string

// The kinds of API that the gateway serves.
const (
	APITypeHTTP      APIType = "http"
	APITypeWebSocket APIType = "websocket"
)

// SubscriptionKeyParameterNames are the places where a client puts its subscription key.
type SubscriptionKeyParameterNames struct {
	Header string `json:"header,omitempty"` // "" means Ocp-Apim-Subscription-Key
	Query  string `json:"query,omitempty"`  // "" means subscription-key
}

// API is Microsoft.ApiManagement/service/apis: one revision of one version of an API.
type API struct {
	// ID ends in the API's name; a revision that is not the current one has ";rev=N" after it.
	ID          ID      `json:"id"`
	DisplayName string  `json:"displayName,omitempty"`
	Description string  `json:"description,omitempty"`
	Type        APIType `json:"type,omitempty"` // "" means http

	// Path is the API URL suffix: a relative path whose leading and trailing slashes do not count. Empty: the root.
	Path string `json:"path"`

	// ServiceURL is the absolute URL of the backend: http or https, for a WebSocket API ws or wss. An HTTP API
	// may have none when its policies answer by themselves or choose a backend.
	ServiceURL string `json:"serviceUrl,omitempty"`

	// Protocols are the schemes over which clients may call: http and https, for a WebSocket API ws and wss. Empty: all of them.
	Protocols []string `json:"protocols,omitempty"`

	// SubscriptionRequired says that a call needs a key. The management plane fills in Azure's default, true.
	SubscriptionRequired          bool                          `json:"subscriptionRequired"`
	SubscriptionKeyParameterNames SubscriptionKeyParameterNames `json:"subscriptionKeyParameterNames,omitzero"`

	APIRevision            string `json:"apiRevision,omitempty"` // "" means what the id says, else 1
	APIRevisionDescription string `json:"apiRevisionDescription,omitempty"`
	IsCurrent              *bool  `json:"isCurrent,omitempty"` // nil means true unless the id has ";rev=N"
	IsOnline               *bool  `json:"isOnline,omitempty"`  // nil means true; false makes the revision unreachable

	// APIVersion is the version identifier within the version set; "" in a version set is the original version.
	APIVersion            string `json:"apiVersion,omitempty"`
	APIVersionDescription string `json:"apiVersionDescription,omitempty"`
	APIVersionSetID       ID     `json:"apiVersionSetId,omitempty"`
}

// ResourceID is the id of the API.
func (a *API) ResourceID() ID { return a.ID }

// BaseName is the API's name without its revision.
func (a *API) BaseName() string {
	name, _, _ := strings.Cut(a.ID.Name(), ";rev=")
	return name
}

// Revision is the number of the revision that the resource holds.
func (a *API) Revision() string {
	if a.APIRevision != "" {
		return a.APIRevision
	}
	if _, revision, found := strings.Cut(a.ID.Name(), ";rev="); found {
		return revision
	}
	return "1"
}

// Current says whether requests without a revision reach this one.
func (a *API) Current() bool {
	if a.IsCurrent != nil {
		return *a.IsCurrent
	}
	return !strings.Contains(a.ID.Name(), ";rev=")
}

// Online says whether the gateway serves this revision.
func (a *API) Online() bool { return a.IsOnline == nil || *a.IsOnline }

// Kind is the type with its default filled in.
func (a *API) Kind() APIType {
	if a.Type == "" {
		return APITypeHTTP
	}
	return a.Type
}

// KeyNames are the names of the header and the query parameter of the subscription key with their defaults filled in.
func (a *API) KeyNames() (header, query string) {
	header, query = a.SubscriptionKeyParameterNames.Header, a.SubscriptionKeyParameterNames.Query
	if header == "" {
		header = "Ocp-Apim-Subscription-Key"
	}
	if query == "" {
		query = "subscription-key"
	}
	return header, query
}

// Suffix is the API URL suffix without the slashes that do not count.
func (a *API) Suffix() string { return strings.Trim(a.Path, "/") }

var revisionNumber = regexp.MustCompile(`^[0-9]{1,9}$`)

// Validate checks the id, the type, the suffix, the backend's URL against the type, the protocols, revision and version.
func (a *API) Validate() error {
	if err := checkType(a.ID, "service/apis", "an API", "APIM1", "apis", "NAME"); err != nil {
		return err
	}
	if err := checkName(a.ID, a.BaseName(), 256); err != nil {
		return err
	}
	if len(a.DisplayName) > 300 {
		return Invalidf(a.ID, "displayName", "has %d characters; at most 300 are allowed", len(a.DisplayName))
	}
	var schemes []string
	var backendSchemes []string
	switch a.Kind() {
	case APITypeHTTP:
		schemes, backendSchemes = []string{"http", "https"}, []string{"http", "https"}
	case APITypeWebSocket:
		schemes, backendSchemes = []string{"ws", "wss"}, []string{"ws", "wss"}
	default:
		return Invalidf(a.ID, "type", "the type of an API is http or websocket, not %q; other types are not supported", a.Type)
	}
	if err := a.validateSuffix(); err != nil {
		return err
	}
	if a.ServiceURL == "" && a.Kind() == APITypeWebSocket {
		return Invalidf(a.ID, "serviceUrl", "a WebSocket API needs the ws or wss URL of its backend")
	}
	if a.ServiceURL != "" {
		if err := checkURL(a.ID, "serviceUrl", a.ServiceURL, backendSchemes...); err != nil {
			return err
		}
	}
	for i, p := range a.Protocols {
		if !slices.Contains(schemes, strings.ToLower(p)) {
			return Invalidf(a.ID, "protocols", "protocol %d, %q, must be one of %s for an API of type %s", i, p, strings.Join(schemes, ", "), a.Kind())
		}
	}
	if !revisionNumber.MatchString(a.Revision()) {
		return Invalidf(a.ID, "apiRevision", "%q is not a revision number; revisions are 1, 2, 3 and so on", a.Revision())
	}
	if strings.ContainsAny(a.APIVersion, "/?# \t") || len(a.APIVersion) > 100 {
		return Invalidf(a.ID, "apiVersion", "a version identifier has at most 100 characters and no slash, space, ? or #")
	}
	if a.APIVersion != "" && a.APIVersionSetID == "" {
		return Invalidf(a.ID, "apiVersionSetId", "an API with an apiVersion needs the id of its version set")
	}
	return nil
}

func (a *API) validateSuffix() error {
	if len(a.Path) > 400 {
		return Invalidf(a.ID, "path", "has %d characters; at most 400 are allowed", len(a.Path))
	}
	if strings.ContainsAny(a.Path, "?#*{}\\ \t\r\n") || strings.Contains(a.Path, ";rev=") {
		return Invalidf(a.ID, "path", "the API URL suffix %q is a plain relative path without spaces, wildcards, parameters, query or ;rev=", a.Path)
	}
	if suffix := a.Suffix(); suffix != "" {
		for segment := range strings.SplitSeq(suffix, "/") {
			if segment == "" || segment == "." || segment == ".." {
				return Invalidf(a.ID, "path", "the API URL suffix %q has an empty, . or .. segment", a.Path)
			}
		}
	}
	return nil
}

// VersioningScheme says where a client puts the version of an API.
type VersioningScheme string

// The versioning schemes.
const (
	VersioningSegment VersioningScheme = "Segment" // the path segment after the suffix
	VersioningQuery   VersioningScheme = "Query"   // a query parameter
	VersioningHeader  VersioningScheme = "Header"  // a header
)

// APIVersionSet is Microsoft.ApiManagement/service/apiVersionSets: the versions of one API.
type APIVersionSet struct {
	ID                ID               `json:"id"`
	DisplayName       string           `json:"displayName,omitempty"`
	Description       string           `json:"description,omitempty"`
	VersioningScheme  VersioningScheme `json:"versioningScheme"`
	VersionQueryName  string           `json:"versionQueryName,omitempty"`
	VersionHeaderName string           `json:"versionHeaderName,omitempty"`
}

// ResourceID is the id of the version set.
func (v *APIVersionSet) ResourceID() ID { return v.ID }

// Validate checks the id and that the scheme has the name that it needs.
func (v *APIVersionSet) Validate() error {
	if err := checkType(v.ID, "service/apiVersionSets", "an API version set", "APIM1", "apiVersionSets", "NAME"); err != nil {
		return err
	}
	switch v.VersioningScheme {
	case VersioningSegment:
	case VersioningQuery:
		if v.VersionQueryName == "" {
			return Invalidf(v.ID, "versionQueryName", "the Query scheme needs the name of the query parameter")
		}
	case VersioningHeader:
		if v.VersionHeaderName == "" {
			return Invalidf(v.ID, "versionHeaderName", "the Header scheme needs the name of the header")
		}
	default:
		return Invalidf(v.ID, "versioningScheme", "the versioning scheme is Segment, Query or Header, not %q", v.VersioningScheme)
	}
	return nil
}

// checkType reports an id whose type is not Microsoft.ApiManagement/{want}; example ends the id that the message shows.
func checkType(id ID, want, what string, example ...string) error {
	if !strings.EqualFold(id.Type(), ApiManagement+"/"+want) {
		return Invalidf(id, "id", "%q is not the id of %s; it should look like %s", id, what, NewID(ApiManagement, append([]string{"service"}, example...)...))
	}
	return nil
}

// checkName reports a resource name with characters that Azure does not take.
func checkName(id ID, name string, longest int) error {
	if name == "" || len(name) > longest {
		return Invalidf(id, "name", "has %d characters; 1 to %d are allowed", len(name), longest)
	}
	if strings.ContainsAny(name, "*#&+:<>?/% \t\r\n") {
		return Invalidf(id, "name", "%q must not contain spaces or any of * # & + : < > ? / %%", name)
	}
	return nil
}

// checkURL reports a URL that is not absolute with one of the schemes, or that holds a user, a query or a fragment.
func checkURL(id ID, target, raw string, schemes ...string) error {
	if len(raw) > 2000 {
		return Invalidf(id, target, "has %d characters; at most 2000 are allowed", len(raw))
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || !slices.Contains(schemes, strings.ToLower(u.Scheme)) {
		return Invalidf(id, target, "must be an absolute URL with the scheme %s", strings.Join(schemes, " or "))
	}
	if u.User != nil {
		return Invalidf(id, target, "must not hold a user or a password; use a policy or a backend's credentials")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return Invalidf(id, target, "must not have a query or a fragment")
	}
	return nil
}

// checkLength reports a text that is longer than Azure allows.
func checkLength(id ID, target, text string, longest int) error {
	if len(text) > longest {
		return Invalidf(id, target, "has %d characters; at most %d are allowed", len(text), longest)
	}
	return nil
}

var (
	_ Resource = (*ApiManagementService)(nil)
	_ Resource = (*API)(nil)
	_ Resource = (*APIVersionSet)(nil)
)
