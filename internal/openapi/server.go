package openapi

import (
	"errors"
	"net/url"
	"regexp"
	"strings"

	"github.com/hubgate/hubgate/internal/resource"
)

// serviceURL takes the backend's URL from the document when the target has none: the first https server of OpenAPI 3 and of x-servers,
// or what scheme, host and basePath of OpenAPI 2 make.
func (im *importer) serviceURL() {
	var found string
	var at *node
	switch servers := im.root.get("servers"); {
	case im.version != openAPI2:
		found, at = im.firstHTTPS(servers, "servers")
	case !im.root.get("x-servers").isNull():
		found, at = im.firstHTTPS(im.root.get("x-servers"), "x-servers")
	default:
		found, at = im.hostURL()
	}
	if im.api.ServiceURL != "" || found == "" {
		return
	}
	// A server that the backend's URL cannot be, one with a query for example, is no reason to refuse the whole document.
	alone := resource.API{ID: im.api.ID, ServiceURL: found}
	if wrong, ok := errors.AsType[*resource.Error](alone.Validate()); ok && wrong.Target == "serviceUrl" {
		im.warnf(at, "the server's URL is not used as the API's serviceUrl: it %s", wrong.Message)
		return
	}
	im.api.ServiceURL = found
}

func (im *importer) firstHTTPS(servers *node, name string) (string, *node) {
	list := im.list(servers, name)
	for _, server := range list {
		if server = im.object(server, "a server"); server == nil {
			continue
		}
		address, ok := im.serverURL(server)
		if ok && strings.HasPrefix(strings.ToLower(address), "https://") {
			return address, server
		}
	}
	if len(list) > 0 && im.api.ServiceURL == "" {
		im.warnf(servers, "none of the servers has an https URL, so the API has no serviceUrl; state one with the import")
	}
	return "", nil
}

var serverVariable = regexp.MustCompile(`\{([^{}]*)\}`)

// serverURL is the absolute URL of a server with the defaults of its variables. Without a known address of the document a relative one is none.
func (im *importer) serverURL(server *node) (string, bool) {
	variables := server.get("variables")
	raw := serverVariable.ReplaceAllStringFunc(im.text(server, "url"), func(variable string) string {
		if s, ok := variables.get(variable[1 : len(variable)-1]).get("default").scalar(); ok {
			return s
		}
		return variable
	})
	address, err := url.Parse(raw)
	if err != nil || strings.ContainsAny(raw, "{}") {
		im.warnf(server, "the server's URL %q is not valid, or has a variable without a default", raw)
		return "", false
	}
	if address.IsAbs() {
		return raw, true
	}
	base, err := url.Parse(im.target.DocumentURL)
	if err != nil || !base.IsAbs() {
		im.warnf(server, "the server's URL %q is relative, and it is not known to what", raw)
		return "", false
	}
	return base.ResolveReference(address).String(), true
}

// hostURL is the backend's URL in OpenAPI 2. A scheme that is not stated is that of the document's address, else https.
func (im *importer) hostURL() (string, *node) {
	host, basePath := im.text(im.root, "host"), im.text(im.root, "basePath")
	at := im.root.get("host")
	scheme := "https"
	base, err := url.Parse(im.target.DocumentURL)
	if err == nil && base.IsAbs() {
		scheme = strings.ToLower(base.Scheme)
		if host == "" {
			host = base.Host
		}
	}
	if host == "" {
		if basePath != "" {
			im.warnf(im.root.get("basePath"), "there is a basePath without a host, so the API has no serviceUrl; state one with the import")
		}
		return "", nil
	}
	var schemes []string
	for _, s := range im.list(im.root.get("schemes"), "schemes") {
		if name, ok := s.scalar(); ok {
			schemes = append(schemes, strings.ToLower(name))
		}
	}
	switch {
	case isOneOf("https", schemes):
		scheme = "https"
	case isOneOf("http", schemes):
		scheme = "http"
	case len(schemes) > 0:
		im.warnf(im.root.get("schemes"), "none of the schemes is https or http, so the API has no serviceUrl")
		return "", nil
	}
	if basePath != "" && !strings.HasPrefix(basePath, "/") {
		basePath = "/" + basePath
	}
	return scheme + "://" + host + strings.TrimSuffix(basePath, "/"), at
}
