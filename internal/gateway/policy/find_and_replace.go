package policy

import "bytes"

// findAndReplace is the find-and-replace policy (find-and-replace-policy).
type findAndReplace struct {
	from, to Value[string]
	response bool
}

func newFindAndReplace(b *Builder) Policy {
	b.needsBody()
	return &findAndReplace{from: b.String("from", Required), to: b.emptyString("to"), response: b.response}
}

// emptyString is a required text attribute that may be empty.
func (b *Builder) emptyString(name string) Value[string] {
	v := b.String(name, 0)
	if !v.IsSet() {
		b.Errorf("The required attribute '%s' is missing", name)
	}
	return v
}

// Run replaces each occurrence of the one text by the other.
func (f *findAndReplace) Run(x *Exchange) (Outcome, error) {
	from, err := f.from.Get(x)
	if err != nil {
		return End, err
	}
	to, err := f.to.Get(x)
	if err != nil {
		return End, err
	}
	if from == "" {
		return Continue, nil // An expression may find nothing to look for.
	}
	body, header := x.message(f.response)
	data, ok, err := readDecoded(body, header)
	if err != nil {
		return End, err
	}
	if ok && bytes.Contains(data, []byte(from)) {
		x.replace(f.response, bytes.ReplaceAll(data, []byte(from), []byte(to)))
	}
	return Continue, nil
}
