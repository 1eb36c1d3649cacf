package resource

import (
	"strings"
	"time"
)

// ProductState says whether a product is shown to developers. Keys of an unpublished product work nevertheless.
type ProductState string

// The states of a product.
const (
	ProductPublished    ProductState = "published"
	ProductNotPublished ProductState = "notPublished"
)

// Product is Microsoft.ApiManagement/service/products: a group of APIs with policies and subscriptions of its own.
type Product struct {
	ID          ID     `json:"id"`
	DisplayName string `json:"displayName,omitempty"`
	Description string `json:"description,omitempty"`
	Terms       string `json:"terms,omitempty"`

	// SubscriptionRequired says that calls in the product's context need a key; without it the product is open.
	// The management plane fills in Azure's default, true.
	SubscriptionRequired bool         `json:"subscriptionRequired"`
	ApprovalRequired     bool         `json:"approvalRequired,omitempty"`
	SubscriptionsLimit   *int         `json:"subscriptionsLimit,omitempty"` // a developer's most subscriptions; nil: no limit
	State                ProductState `json:"state,omitempty"`              // "" means notPublished
}

// ResourceID is the id of the product.
func (p *Product) ResourceID() ID { return p.ID }

// Validate checks the id, the state and the limit.
func (p *Product) Validate() error {
	if err := checkType(p.ID, "service/products", "a product", "APIM1", "products", "NAME"); err != nil {
		return err
	}
	if err := checkName(p.ID, p.ID.Name(), 256); err != nil {
		return err
	}
	switch p.State {
	case "", ProductPublished, ProductNotPublished:
	default:
		return Invalidf(p.ID, "state", "the state is published or notPublished, not %q", p.State)
	}
	if p.SubscriptionsLimit != nil && *p.SubscriptionsLimit < 0 {
		return Invalidf(p.ID, "subscriptionsLimit", "must not be negative")
	}
	return checkLength(p.ID, "displayName", p.DisplayName, 300)
}

// ProductAPI is Microsoft.ApiManagement/service/products/apis: the link that puts an API into a product. The API's name
// is the last part of the id.
type ProductAPI struct {
	ID ID `json:"id"`
}

// ResourceID is the id of the link.
func (l *ProductAPI) ResourceID() ID { return l.ID }

// Validate checks the id.
func (l *ProductAPI) Validate() error {
	return checkType(l.ID, "service/products/apis", "an API in a product", "APIM1", "products", "PRODUCT", "apis", "API")
}

// SubscriptionState says whether the keys of a subscription work: only those of an active one do.
type SubscriptionState string

// The states of a subscription.
const (
	SubscriptionActive    SubscriptionState = "active"
	SubscriptionSuspended SubscriptionState = "suspended"
	SubscriptionSubmitted SubscriptionState = "submitted"
	SubscriptionRejected  SubscriptionState = "rejected"
	SubscriptionCancelled SubscriptionState = "cancelled"
	SubscriptionExpired   SubscriptionState = "expired"
)

// Subscription is Microsoft.ApiManagement/service/subscriptions: a pair of keys for a scope.
type Subscription struct {
	ID          ID     `json:"id"`
	DisplayName string `json:"displayName,omitempty"`

	// Scope is what the keys open: /products/{name}, /apis/{name}, /apis (all APIs), or the service itself as "" or "/"
	// (all-access). Full resource ids of the same are taken too.
	Scope        string            `json:"scope"`
	State        SubscriptionState `json:"state,omitempty"` // "" means active
	PrimaryKey   string            `json:"primaryKey"`
	SecondaryKey string            `json:"secondaryKey"`
	OwnerID      string            `json:"ownerId,omitempty"` // the user's id; "" is a standalone subscription
	AllowTracing bool              `json:"allowTracing,omitempty"`

	CreatedDate    time.Time `json:"createdDate,omitzero"`
	StartDate      time.Time `json:"startDate,omitzero"`
	ExpirationDate time.Time `json:"expirationDate,omitzero"` // keys stop working then; zero: never
}

// ResourceID is the id of the subscription.
func (s *Subscription) ResourceID() ID { return s.ID }

// SubscriptionScope is a subscription's scope taken apart: at most one of the fields is set; none means all APIs.
type SubscriptionScope struct{ Product, API string }

// ScopeParts takes the scope apart; ok is false when it is none of the known forms.
func (s *Subscription) ScopeParts() (scope SubscriptionScope, ok bool) {
	text := strings.Trim(s.Scope, "/")
	if i := strings.Index(strings.ToLower(text), "/providers/"); i >= 0 || strings.HasPrefix(strings.ToLower(text), "providers/") {
		parts := strings.Split(text[max(i, 0):], "/")
		for len(parts) > 0 && !strings.EqualFold(parts[0], "service") {
			parts = parts[1:]
		}
		if len(parts) < 2 {
			return SubscriptionScope{}, false
		}
		text = strings.Join(parts[2:], "/")
	}
	parts := strings.Split(text, "/")
	switch {
	case text == "" || len(parts) == 1 && strings.EqualFold(parts[0], "apis"):
		return SubscriptionScope{}, true
	case len(parts) == 2 && strings.EqualFold(parts[0], "products"):
		return SubscriptionScope{Product: parts[1]}, true
	case len(parts) == 2 && strings.EqualFold(parts[0], "apis"):
		return SubscriptionScope{API: parts[1]}, true
	}
	return SubscriptionScope{}, false
}

// Validate checks the id, the scope, the state and that there are two different keys.
func (s *Subscription) Validate() error {
	if err := checkType(s.ID, "service/subscriptions", "a subscription", "APIM1", "subscriptions", "NAME"); err != nil {
		return err
	}
	if err := checkName(s.ID, s.ID.Name(), 256); err != nil {
		return err
	}
	if _, ok := s.ScopeParts(); !ok {
		return Invalidf(s.ID, "scope", "%q is not a scope; use /products/NAME, /apis/NAME or /apis", s.Scope)
	}
	switch s.State {
	case "", SubscriptionActive, SubscriptionSuspended, SubscriptionSubmitted, SubscriptionRejected, SubscriptionCancelled, SubscriptionExpired:
	default:
		return Invalidf(s.ID, "state", "%q is not a state of a subscription", s.State)
	}
	if s.PrimaryKey == "" || s.SecondaryKey == "" {
		return Invalidf(s.ID, "primaryKey", "a subscription needs both keys; the management plane generates those that are not given")
	}
	if s.PrimaryKey == s.SecondaryKey {
		return Invalidf(s.ID, "secondaryKey", "must differ from the primary key")
	}
	if len(s.PrimaryKey) > 256 || len(s.SecondaryKey) > 256 {
		return Invalidf(s.ID, "primaryKey", "a key has at most 256 characters")
	}
	return checkLength(s.ID, "displayName", s.DisplayName, 100)
}

var (
	_ Resource = (*Product)(nil)
	_ Resource = (*ProductAPI)(nil)
	_ Resource = (*Subscription)(nil)
)
