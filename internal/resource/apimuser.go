package resource

import (
	"strings"
	"time"
)

// UserState says whether a user may use subscriptions.
type UserState string

// The states of a user.
const (
	UserActive  UserState = "active"
	UserBlocked UserState = "blocked"
	UserPending UserState = "pending"
	UserDeleted UserState = "deleted"
)

// UserIdentity is how a user signs in somewhere.
type UserIdentity struct {
	Provider string `json:"provider"`
	ID       string `json:"id"`
}

// User is Microsoft.ApiManagement/service/users: a developer, whom subscriptions may belong to.
type User struct {
	ID               ID             `json:"id"`
	Email            string         `json:"email"`
	FirstName        string         `json:"firstName,omitempty"`
	LastName         string         `json:"lastName,omitempty"`
	Note             string         `json:"note,omitempty"`
	State            UserState      `json:"state,omitempty"` // "" means active
	Identities       []UserIdentity `json:"identities,omitempty"`
	RegistrationDate time.Time      `json:"registrationDate,omitzero"`
}

// ResourceID is the id of the user.
func (u *User) ResourceID() ID { return u.ID }

// Validate checks the id, the state and that there is an address.
func (u *User) Validate() error {
	if err := checkType(u.ID, "service/users", "a user", "APIM1", "users", "NAME"); err != nil {
		return err
	}
	if err := checkName(u.ID, u.ID.Name(), 80); err != nil {
		return err
	}
	if !strings.Contains(u.Email, "@") || len(u.Email) > 254 {
		return Invalidf(u.ID, "email", "must be a mail address of at most 254 characters")
	}
	switch u.State {
	case "", UserActive, UserBlocked, UserPending, UserDeleted:
	default:
		return Invalidf(u.ID, "state", "%q is not a state of a user", u.State)
	}
	if err := checkLength(u.ID, "firstName", u.FirstName, 100); err != nil {
		return err
	}
	return checkLength(u.ID, "lastName", u.LastName, 100)
}

// Group is Microsoft.ApiManagement/service/groups: users who see the same products.
type Group struct {
	ID          ID     `json:"id"`
	DisplayName string `json:"displayName"`
	Description string `json:"description,omitempty"`
	Type        string `json:"type,omitempty"` // custom, system or external; "" means custom
	ExternalID  string `json:"externalId,omitempty"`
}

// ResourceID is the id of the group.
func (g *Group) ResourceID() ID { return g.ID }

// Validate checks the id, the name and the type.
func (g *Group) Validate() error {
	if err := checkType(g.ID, "service/groups", "a group", "APIM1", "groups", "NAME"); err != nil {
		return err
	}
	if err := checkName(g.ID, g.ID.Name(), 256); err != nil {
		return err
	}
	if g.DisplayName == "" {
		return Invalidf(g.ID, "displayName", "a group needs a display name")
	}
	switch g.Type {
	case "", "custom", "system", "external":
	default:
		return Invalidf(g.ID, "type", "the type of a group is custom, system or external, not %q", g.Type)
	}
	return checkLength(g.ID, "displayName", g.DisplayName, 300)
}

// Link is a resource that says nothing but that two others belong together: its parent, and the one that its name names. There are
// service/groups/users, service/products/groups, and the tags of APIs, operations and products.
type Link struct {
	ID ID `json:"id"`
}

// ResourceID is the id of the link.
func (l *Link) ResourceID() ID { return l.ID }

// LinkTypes are the types of resource that are links, without the provider.
func LinkTypes() []string {
	return []string{"service/groups/users", "service/products/groups", "service/apis/tags", "service/apis/operations/tags", "service/products/tags"}
}

// Validate checks the id.
func (l *Link) Validate() error {
	own := strings.TrimPrefix(strings.ToLower(l.ID.Type()), strings.ToLower(ApiManagement+"/"))
	for _, t := range LinkTypes() {
		if own == strings.ToLower(t) {
			return checkName(l.ID, l.ID.Name(), 256)
		}
	}
	return Invalidf(l.ID, "id", "%q is not the id of a link; those are %s", l.ID, strings.Join(LinkTypes(), ", "))
}

// Tag is Microsoft.ApiManagement/service/tags: a label for APIs, operations and products.
type Tag struct {
	ID          ID     `json:"id"`
	DisplayName string `json:"displayName"`
}

// ResourceID is the id of the tag.
func (t *Tag) ResourceID() ID { return t.ID }

// Validate checks the id and the names.
func (t *Tag) Validate() error {
	if err := checkType(t.ID, "service/tags", "a tag", "APIM1", "tags", "NAME"); err != nil {
		return err
	}
	if err := checkName(t.ID, t.ID.Name(), 80); err != nil {
		return err
	}
	if t.DisplayName == "" {
		return Invalidf(t.ID, "displayName", "a tag needs a display name")
	}
	return checkLength(t.ID, "displayName", t.DisplayName, 160)
}

// APIRelease is Microsoft.ApiManagement/service/apis/releases: the note that a revision became the current one. Making one is what
// makes it current; the management plane does that.
type APIRelease struct {
	ID              ID        `json:"id"`
	APIID           string    `json:"apiId"` // of the revision
	Notes           string    `json:"notes,omitempty"`
	CreatedDateTime time.Time `json:"createdDateTime,omitzero"`
	UpdatedDateTime time.Time `json:"updatedDateTime,omitzero"`
}

// ResourceID is the id of the release.
func (r *APIRelease) ResourceID() ID { return r.ID }

// Validate checks the id and that the revision is one of the release's API.
func (r *APIRelease) Validate() error {
	if err := checkType(r.ID, "service/apis/releases", "a release of an API", "APIM1", "apis", "API", "releases", "NAME"); err != nil {
		return err
	}
	if err := checkName(r.ID, r.ID.Name(), 80); err != nil {
		return err
	}
	name, _, _ := strings.Cut(r.APIID[strings.LastIndexByte(r.APIID, '/')+1:], ";rev=")
	own, _, _ := strings.Cut(r.ID.Parent().Name(), ";rev=")
	if !strings.EqualFold(name, own) {
		return Invalidf(r.ID, "apiId", "%q is not a revision of the API %s", r.APIID, own)
	}
	return checkLength(r.ID, "notes", r.Notes, 4096)
}

var (
	_ Resource = (*User)(nil)
	_ Resource = (*Group)(nil)
	_ Resource = (*Link)(nil)
	_ Resource = (*Tag)(nil)
	_ Resource = (*APIRelease)(nil)
)
