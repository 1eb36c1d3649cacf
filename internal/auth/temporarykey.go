package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

const (
	// temporaryKeyPeriod is for how long one temporary key is handed out before the next one is.
	temporaryKeyPeriod = time.Hour
	// temporaryKeyLife is for how long a key signs valid tokens, counted from the beginning of its period: the hour in which it is handed out, the
	// two hours for which an app server may go on with it when it gets no other, and the hour that a token of its last moment lives.
	temporaryKeyLife = 4 * time.Hour

	// Every kid of this package begins with temporaryKeyPrefix, which no kid of a local key does: those are numbers.
	temporaryKeyPrefix = "hubgate-"
	// ownKeyID begins the kid of the key that is never handed out.
	ownKeyID = temporaryKeyPrefix + "own-"
	// temporaryKeyID begins the kid of the others. The number of the period comes next.
	temporaryKeyID = temporaryKeyPrefix + "t"

	keyBytes, tagBytes = 32, 9
)

// TemporaryKeys are the access keys that app servers get which have no access key of the instance (service-protocol §3.5). Each is made of a secret
// of the instance and of the hour, so that all nodes have the same ones, before and after a restart, and nothing is kept. It is immutable.
type TemporaryKeys struct {
	root []byte
}

// TemporaryKey is one of them. Its text is a secret.
type TemporaryKey struct {
	// ID goes into the kid of what the key signs.
	ID string
	// Key is the key's text, of which the UTF-8 bytes sign.
	Key string
}

// String keeps the key out of every log and message.
func (k TemporaryKey) String() string { return "auth.TemporaryKey{" + k.ID + ", key hidden}" }

// GoString keeps the key out of every log and message.
func (k TemporaryKey) GoString() string { return k.String() }

// NewTemporaryKeys makes the keys of an instance, or returns nil when it has none: without issuers there is nobody to get them, and
// without a salt and without local authentication there is no secret that only the instance knows.
func NewTemporaryKeys(r *resource.SignalR) *TemporaryKeys {
	if r.DisableAADAuth || len(r.Identity.Issuers) == 0 {
		return nil
	}
	secret := r.Salt
	if secret == "" && !r.DisableLocalAuth {
		// Whoever has the access keys may sign what they want anyway.
		secret = r.PrimaryKey + "\n" + r.SecondaryKey
	}
	if secret == "" {
		return nil
	}
	root, err := hkdf.Extract(sha256.New, []byte(secret), []byte("hubgate temporary access keys of "+r.ID.Key()))
	if err != nil {
		return nil // a hash that is too short for the rules of FIPS 140, which SHA-256 is not
	}
	return &TemporaryKeys{root: root}
}

// Same reports whether both make the same keys; nil makes none.
func (k *TemporaryKeys) Same(other *TemporaryKeys) bool {
	if k == nil || other == nil {
		return k == other
	}
	return subtle.ConstantTimeCompare(k.root, other.root) == 1
}

// Current is the key that is handed out at a time.
func (k *TemporaryKeys) Current(now time.Time) TemporaryKey { return k.derive(periodID(period(now))) }

// Own is the key for tokens that the service signs itself. It does not change and is never handed out, so a token of any life may be signed with it.
func (k *TemporaryKeys) Own() TemporaryKey { return k.derive(ownKeyID) }

func period(at time.Time) int64 { return at.Unix() / int64(temporaryKeyPeriod/time.Second) }

func periodID(n int64) string { return temporaryKeyID + strconv.FormatInt(n, 10) + "-" }

// derive makes the key whose id begins so. What follows in the id tells a key of this root from one of another.
func (k *TemporaryKeys) derive(id string) TemporaryKey {
	b, err := hkdf.Expand(sha256.New, k.root, id, keyBytes+tagBytes)
	if err != nil {
		return TemporaryKey{} // more bytes than the function gives, which these are not
	}
	return TemporaryKey{
		ID:  id + base64.RawURLEncoding.EncodeToString(b[keyBytes:]),
		Key: base64.StdEncoding.EncodeToString(b[:keyBytes]),
	}
}

var errOldKey = errors.New("the temporary access key is too old")

// find is the text of the key with this id. It is an error when the key is not valid any more, or not yet; a zero time asks for no time at all. ok
// is false when the id is not that of a key of this root.
func (k *TemporaryKeys) find(id string, now time.Time, skew time.Duration) (key string, ok bool, err error) {
	prefix := ownKeyID
	start := time.Time{}
	if digits, isTemporary := strings.CutPrefix(id, temporaryKeyID); isTemporary {
		digits, _, _ = strings.Cut(digits, "-")
		n, err := strconv.ParseInt(digits, 10, 32)
		if err != nil || n < 0 {
			return "", false, nil
		}
		prefix, start = periodID(n), time.Unix(n*int64(temporaryKeyPeriod/time.Second), 0)
	} else if !strings.HasPrefix(id, ownKeyID) {
		return "", false, nil
	}
	found := k.derive(prefix)
	if found.ID != id {
		return "", false, nil
	}
	if !now.IsZero() && !start.IsZero() && (now.Add(skew).Before(start) || now.Add(-skew).After(start.Add(temporaryKeyLife))) {
		return "", true, errOldKey
	}
	return found.Key, true, nil
}
