package policy

import (
	"net/url"
	"strings"
)

// setQueryParameter is the set-query-parameter policy (set-query-parameter-policy).
type setQueryParameter struct {
	name   Value[string]
	action Value[string]
	values []Value[string]
}

func newSetQueryParameter(b *Builder) Policy {
	s := &setQueryParameter{name: b.String("name", Required), action: b.OneOf("exists-action", 0, "override", "skip", "append", "delete")}
	s.values = b.Values("value", 0)
	checkExistsAction(b, s.action, s.values)
	return s
}

// Run sets the parameter. The others keep their order and their spelling.
func (s *setQueryParameter) Run(x *Exchange) (Outcome, error) {
	name, err := s.name.Get(x)
	if err != nil {
		return End, err
	}
	action, err := s.action.Get(x)
	if err != nil {
		return End, err
	}
	kept, found := withoutParameter(x.Request.RawQuery, name)
	switch action {
	case "delete":
		x.Request.RawQuery = kept
		return Continue, nil
	case "skip":
		if found {
			return Continue, nil
		}
	case "append":
		kept = x.Request.RawQuery
	}
	var out strings.Builder
	out.WriteString(kept)
	for i := range s.values {
		v, err := s.values[i].Get(x)
		if err != nil {
			return End, err
		}
		if out.Len() > 0 {
			out.WriteByte('&')
		}
		out.WriteString(url.QueryEscape(name) + "=" + url.QueryEscape(v))
	}
	x.Request.RawQuery = out.String()
	return Continue, nil
}

// withoutParameter takes the parameter out of the query.
func withoutParameter(rawQuery, name string) (kept string, found bool) {
	return filterQuery(rawQuery, func(key string) bool { return !strings.EqualFold(key, name) })
}

// filterQuery keeps the parameters for whose decoded names keep is true, as they are written; removed says whether any went.
func filterQuery(rawQuery string, keep func(name string) bool) (kept string, removed bool) {
	var pairs []string
	for pair := range strings.SplitSeq(rawQuery, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(key); err == nil {
			key = decoded
		}
		if pair == "" {
			continue
		}
		if !keep(key) {
			removed = true
			continue
		}
		pairs = append(pairs, pair)
	}
	if !removed {
		return rawQuery, false
	}
	return strings.Join(pairs, "&"), true
}
