package expr

import (
	"strings"
	"time"
)

// dateOf is a time as a DateTime of kind Utc.
func dateOf(t time.Time) Value { return NewDateTime(t.UTC()) }

// nullableDate is a time, null where it is zero.
func nullableDate(t time.Time) Value {
	if t.IsZero() {
		return nil
	}
	return dateOf(t)
}

// pointer makes a nil pointer null.
func pointer[T any](p *T) Value {
	if p == nil {
		return nil
	}
	return p
}

// gateway declares context and all that hangs from it.
func (b *library) gateway() {
	b.on("IProxyRequestContext")
	get := func(signature string, read func(c *Context) Value) {
		b.property(signature, func(v Value) Value { return read(v.(*Context)) })
	}
	get("IApi Api", func(c *Context) Value { return pointer(c.API) })
	get("IOperation Operation", func(c *Context) Value { return pointer(c.Operation) })
	get("IProduct Product", func(c *Context) Value { return pointer(c.Product) })
	get("ISubscription Subscription", func(c *Context) Value { return pointer(c.Subscription) })
	get("IUser User", func(c *Context) Value { return pointer(c.User) })
	get("IDeployment Deployment", func(c *Context) Value { return pointer(c.Deployment) })
	get("ILastError LastError", func(c *Context) Value { return pointer(c.LastError) })
	get("IRequest Request", func(c *Context) Value {
		if c.Request == nil {
			return nil
		}
		return c.Request
	})
	get("IResponse Response", func(c *Context) Value {
		if c.Response == nil {
			return nil
		}
		return c.Response
	})
	get("IVariables Variables", func(c *Context) Value { return (*variableTable)(c) })
	get("Guid RequestId", func(c *Context) Value { return c.RequestID })
	get("DateTime Timestamp", func(c *Context) Value { return dateOf(c.Timestamp) })
	get("TimeSpan Elapsed", func(c *Context) Value {
		if c.Elapsed == nil {
			return TimeSpan(time.Since(c.Timestamp) / 100)
		}
		return TimeSpan(c.Elapsed() / 100)
	})
	get("bool Tracing", func(c *Context) Value { return c.Tracing })
	b.native("void Trace(string message)", func(_ *machine, a []Value) Value {
		if c := a[0].(*Context); c.Trace != nil {
			c.Trace(wellFormed(optionalText(a[1])))
		}
		return nil
	})
	b.apis()
	b.people()
	b.messages()
	b.tables()
	b.credentials()
}

func (b *library) apis() {
	texts := func(name string, read map[string]func(v Value) Value) {
		b.on(name)
		for member, f := range read {
			b.property("string "+member, f)
		}
	}
	api := func(f func(a *API) string) func(v Value) Value { return func(v Value) Value { return f(v.(*API)) } }
	texts("IApi", map[string]func(v Value) Value{
		"Id": api(func(a *API) string { return a.ID }), "Name": api(func(a *API) string { return a.Name }), "Path": api(func(a *API) string { return a.Path }),
		"Revision": api(func(a *API) string { return a.Revision }), "Version": api(func(a *API) string { return a.Version }),
	})
	b.property("bool IsCurrentRevision", func(v Value) Value { return v.(*API).IsCurrentRevision })
	b.property("IUrl ServiceUrl", func(v Value) Value { return pointer(v.(*API).ServiceURL) })
	b.native("IEnumerable<string> Protocols", func(m *machine, a []Value) Value { return m.stringArray(a[0].(*API).Protocols) })
	b.property("ISubscriptionKeyParameterNames SubscriptionKeyParameterNames", func(v Value) Value { return (*keyNames)(v.(*API)) })
	b.on("ISubscriptionKeyParameterNames")
	b.property("string Header", func(v Value) Value { return v.(*keyNames).KeyHeader })
	b.property("string Query", func(v Value) Value { return v.(*keyNames).KeyQuery })
	operation := func(f func(o *Operation) string) func(v Value) Value {
		return func(v Value) Value { return f(v.(*Operation)) }
	}
	texts("IOperation", map[string]func(v Value) Value{
		"Id": operation(func(o *Operation) string { return o.ID }), "Method": operation(func(o *Operation) string { return o.Method }),
		"Name": operation(func(o *Operation) string { return o.Name }), "UrlTemplate": operation(func(o *Operation) string { return o.URLTemplate }),
	})
	states := b.env.named("ProductState")
	b.on("IProduct")
	b.property("string Id", func(v Value) Value { return v.(*Product).ID })
	b.property("string Name", func(v Value) Value { return v.(*Product).Name })
	b.property("bool ApprovalRequired", func(v Value) Value { return v.(*Product).ApprovalRequired })
	b.property("bool SubscriptionRequired", func(v Value) Value { return v.(*Product).SubscriptionRequired })
	b.property("int? SubscriptionLimit", func(v Value) Value {
		if n := v.(*Product).SubscriptionLimit; n != nil {
			return *n
		}
		return nil
	})
	b.property("ProductState State", func(v Value) Value {
		if v.(*Product).Published {
			return Enum{states, 1}
		}
		return Enum{states, 0}
	})
	b.native("IEnumerable<IApi> Apis", func(m *machine, a []Value) Value { return gatewayList(m, "IApi", a[0].(*Product).APIs) })
	b.native("IEnumerable<IGroup> Groups", func(m *machine, a []Value) Value { return gatewayList(m, "IGroup", pointers(a[0].(*Product).Groups)) })
	last := func(f func(l *LastError) string) func(v Value) Value {
		return func(v Value) Value { return f(v.(*LastError)) }
	}
	texts("ILastError", map[string]func(v Value) Value{
		"Source": last(func(l *LastError) string { return l.Source }), "Reason": last(func(l *LastError) string { return l.Reason }),
		"Message": last(func(l *LastError) string { return l.Message }), "Scope": last(func(l *LastError) string { return l.Scope }),
		"Section": last(func(l *LastError) string { return l.Section }), "Path": last(func(l *LastError) string { return l.Path }),
		"PolicyId": last(func(l *LastError) string { return l.PolicyID }),
	})
	b.property("int HttpErrorCode", func(v Value) Value { return v.(*LastError).HTTPErrorCode })
	deployment := func(f func(d *Deployment) string) func(v Value) Value {
		return func(v Value) Value { return f(v.(*Deployment)) }
	}
	texts("IDeployment", map[string]func(v Value) Value{
		"GatewayId": deployment(func(d *Deployment) string { return d.GatewayID }), "Region": deployment(func(d *Deployment) string { return d.Region }),
		"ServiceId": deployment(func(d *Deployment) string { return d.ServiceID }), "ServiceName": deployment(func(d *Deployment) string { return d.ServiceName }),
	})
	b.property("IGateway Gateway", func(v Value) Value { return (*gatewayFacts)(v.(*Deployment)) })
	b.property("IReadOnlyDictionary<string, X509Certificate2> Certificates", func(v Value) Value { return certificateTable(v.(*Deployment).Certificates) })
	b.on("IGateway")
	b.property("string Id", func(v Value) Value { return v.(*gatewayFacts).GatewayID })
	b.property("string InstanceId", func(v Value) Value { return v.(*gatewayFacts).InstanceID })
	b.property("bool IsManaged", func(v Value) Value { return v.(*gatewayFacts).IsManaged })
}

// keyNames is an API seen as its SubscriptionKeyParameterNames, gatewayFacts a deployment seen as its Gateway.
type (
	keyNames     API
	gatewayFacts Deployment
)

func (k *keyNames) typeIn(e *Environment) *netType {
	return e.named("ISubscriptionKeyParameterNames")
}
func (g *gatewayFacts) typeIn(e *Environment) *netType { return e.named("IGateway") }

// gatewayList is a sequence of objects of the gateway.
func gatewayList[T any](m *machine, element string, items []*T) Value {
	a := &array{m.env.named(element), make([]Value, len(items))}
	for i, x := range items {
		a.items[i] = x
	}
	return a
}

func pointers[T any](items []T) []*T {
	list := make([]*T, len(items))
	for i := range items {
		list[i] = &items[i]
	}
	return list
}

func (b *library) people() {
	b.on("ISubscription")
	for member, f := range map[string]func(s *Subscription) string{
		"Id": func(s *Subscription) string { return s.ID }, "Name": func(s *Subscription) string { return s.Name }, "Key": func(s *Subscription) string { return s.Key },
		"PrimaryKey": func(s *Subscription) string { return s.PrimaryKey }, "SecondaryKey": func(s *Subscription) string { return s.SecondaryKey },
	} {
		b.property("string "+member, func(v Value) Value { return f(v.(*Subscription)) })
	}
	b.property("DateTime CreatedDate", func(v Value) Value { return dateOf(v.(*Subscription).CreatedDate) })
	b.property("DateTime? StartDate", func(v Value) Value { return nullableDate(v.(*Subscription).StartDate) })
	b.property("DateTime? EndDate", func(v Value) Value { return nullableDate(v.(*Subscription).EndDate) })
	b.on("IUser")
	for member, f := range map[string]func(u *User) string{
		"Id": func(u *User) string { return u.ID }, "Email": func(u *User) string { return u.Email }, "FirstName": func(u *User) string { return u.FirstName },
		"LastName": func(u *User) string { return u.LastName }, "Note": func(u *User) string { return u.Note },
	} {
		b.property("string "+member, func(v Value) Value { return f(v.(*User)) })
	}
	b.property("DateTime RegistrationDate", func(v Value) Value { return dateOf(v.(*User).RegistrationDate) })
	b.native("IEnumerable<IGroup> Groups", func(m *machine, a []Value) Value { return gatewayList(m, "IGroup", pointers(a[0].(*User).Groups)) })
	b.native("IEnumerable<IUserIdentity> Identities", func(m *machine, a []Value) Value {
		return gatewayList(m, "IUserIdentity", pointers(a[0].(*User).Identities))
	})
	b.on("IGroup")
	b.property("string Id", func(v Value) Value { return v.(*Group).ID })
	b.property("string Name", func(v Value) Value { return v.(*Group).Name })
	b.on("IUserIdentity")
	b.property("string Id", func(v Value) Value { return v.(*Identity).ID })
	b.property("string Provider", func(v Value) Value { return v.(*Identity).Provider })
}

// bodyValue is an IMessageBody.
type bodyValue struct{ body Body }

func (v *bodyValue) typeIn(e *Environment) *netType { return e.named("IMessageBody") }

// read reads the body once more.
func (v *bodyValue) read(m *machine, preserve Value) []byte {
	data, err := v.body.Bytes(preserve.(bool))
	if err != nil {
		throw("InvalidOperationException", err.Error())
	}
	m.charge(len(data))
	return data
}

func bodyOf(b Body) Value {
	if b == nil {
		return nil
	}
	return &bodyValue{b}
}

// messages declares requests, responses, bodies and URLs.
func (b *library) messages() {
	b.on("IRequest")
	b.property("string Method", func(v Value) Value { return v.(Request).Method() })
	b.property("string IpAddress", func(v Value) Value { return v.(Request).IPAddress() })
	b.property("IUrl Url", func(v Value) Value { return pointer(v.(Request).URL()) })
	b.property("IUrl OriginalUrl", func(v Value) Value { return pointer(v.(Request).OriginalURL()) })
	b.property("IReadOnlyDictionary<string, string> MatchedParameters", func(v Value) Value { return parameterTable(v.(Request).MatchedParameters()) })
	b.property("IHeaders Headers", func(v Value) Value { return &headerTable{headers: v.(Request).Headers()} })
	b.property("IMessageBody Body", func(v Value) Value { return bodyOf(v.(Request).Body()) })
	b.property("X509Certificate2 Certificate", func(v Value) Value {
		if c := v.(Request).Certificate(); c != nil {
			return &certificate{c}
		}
		return nil
	})
	b.property("IPrivateEndpointConnection PrivateEndpointConnection", func(v Value) Value { return pointer(v.(Request).PrivateEndpointConnection()) })
	b.on("IPrivateEndpointConnection")
	b.property("string Name", func(v Value) Value { return v.(*PrivateEndpointConnection).Name })
	b.property("string GroupId", func(v Value) Value { return v.(*PrivateEndpointConnection).GroupID })
	b.property("string MemberName", func(v Value) Value { return v.(*PrivateEndpointConnection).MemberName })
	b.on("IResponse")
	b.property("int StatusCode", func(v Value) Value { return int32(v.(Response).StatusCode()) })
	b.property("string StatusReason", func(v Value) Value { return v.(Response).StatusReason() })
	b.property("IHeaders Headers", func(v Value) Value { return &headerTable{headers: v.(Response).Headers()} })
	b.property("IMessageBody Body", func(v Value) Value { return bodyOf(v.(Response).Body()) })
	b.on("IMessageBody")
	b.generics("T As<T>(bool preserveContent = false)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return readBody(m, a[0].(*bodyValue).read(m, a[1]), t[0]) }
	})
	b.native("IReadOnlyDictionary<string, string[]> AsFormUrlEncodedContent(bool preserveContent = false)", func(m *machine, a []Value) Value {
		return parseForm(string(a[0].(*bodyValue).read(m, a[1])))
	})
	b.on("IUrl")
	b.property("string Scheme", func(v Value) Value { return v.(*URL).Scheme })
	b.property("string Host", func(v Value) Value { return v.(*URL).Host })
	b.property("int Port", func(v Value) Value { return int32(v.(*URL).Port) })
	b.property("string Path", func(v Value) Value { return v.(*URL).Path })
	b.property("string QueryString", func(v Value) Value { return v.(*URL).QueryString })
	b.property("IHeaders Query", func(v Value) Value { return parseForm(strings.TrimPrefix(v.(*URL).QueryString, "?")) })
	b.method("Uri ToUri()", func(a []Value) Value { return mustParseURI(a[0].(*URL).String(), 1) })
}

// String is the URL as text; a port that the scheme implies is left out.
func (u *URL) String() string {
	text := u.Scheme + "://" + u.Host
	if u.Port > 0 && defaultPorts[u.Scheme] != u.Port {
		text += ":" + itoa(u.Port)
	}
	return text + u.Path + u.QueryString
}

func (u *URL) text(*machine) string { return u.String() }

// parseForm reads name=value pairs; a name may occur several times.
func parseForm(s string) *headerTable {
	t := &headerTable{values: map[string][]string{}}
	for pair := range strings.SplitSeq(s, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name = decodeForm(name)
		if t.values[name] == nil {
			t.names = append(t.names, name)
		}
		t.values[name] = append(t.values[name], decodeForm(value))
	}
	return t
}

// readBody is IMessageBody.As<T>.
func readBody(m *machine, data []byte, t *netType) Value {
	switch {
	case t.prim == primString:
		return strings.TrimPrefix(decodeUTF8(data), "\ufeff")
	case t.kind == arrayKind && t.element().prim == primByte:
		return &Bytes{append([]byte(nil), data...)}
	}
	switch t.name {
	case "JObject", "JArray", "JToken":
		token := parseJSON(m, decodeUTF8(data), 1)
		if !m.env.isInstance(token, t) {
			r := &jsonReader{src: " ", pos: 1}
			r.fail("Error reading " + t.name + " from JsonReader. Current JsonReader item is not of that type: " + kindName(token) + ".")
		}
		return token
	case "XDocument":
		return parseXML(m, decodeUTF8(data), false)
	case "XElement", "XNode":
		root := parseXML(m, decodeUTF8(data), false).root()
		root.detach()
		return root
	}
	throw("InvalidOperationException", "A body cannot be read as "+t.reflectionName()+".")
	return nil
}

// tables declares the dictionaries of the gateway and GetValueOrDefault.
func (b *library) tables() {
	b.on("IHeaders")
	joined := func(m *machine, v, key Value) (string, bool) {
		values := v.(*headerTable).find(textArgument(key, "key"))
		if values == nil {
			return "", false
		}
		m.charge(len(values))
		return strings.Join(values, ","), true
	}
	// An instance method beats the extension method that returns an array.
	b.native("string GetValueOrDefault(string key)", func(m *machine, a []Value) Value {
		if s, ok := joined(m, a[0], a[1]); ok {
			return s
		}
		return nil
	})
	b.native("string GetValueOrDefault(string key, string defaultValue)", func(m *machine, a []Value) Value {
		if s, ok := joined(m, a[0], a[1]); ok {
			return s
		}
		return a[2]
	})
	b.on("IVariables")
	b.native("object GetValueOrDefault(string key)", func(m *machine, a []Value) Value { v, _ := lookup(m, a[0], a[1]); return v })
	b.generics("T GetValueOrDefault<T>(string key)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			if v, ok := lookup(m, a[0], a[1]); ok {
				return m.cast(v, t[0])
			}
			return m.env.zeroOf(t[0])
		}
	})
	b.generics("T GetValueOrDefault<T>(string key, T defaultValue)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			if v, ok := lookup(m, a[0], a[1]); ok {
				return m.cast(v, t[0])
			}
			return a[2]
		}
	})
	b.on("ContextExtensions")
	for _, k := range []string{"IReadOnlyDictionary", "IDictionary", "Dictionary"} {
		b.generics("static V GetValueOrDefault<K, V>(this "+k+"<K, V> dictionary, K key)", func(t []*netType) nativeFunc {
			return func(m *machine, a []Value) Value {
				if v, ok := lookup(m, a[0], a[1]); ok {
					return v
				}
				return m.env.zeroOf(t[1])
			}
		})
		b.native("static V GetValueOrDefault<K, V>(this "+k+"<K, V> dictionary, K key, V defaultValue)", func(m *machine, a []Value) Value {
			if v, ok := lookup(m, a[0], a[1]); ok {
				return v
			}
			return a[2]
		})
	}
	query := func(m *machine, a []Value) Value {
		var parts []string
		iterate(m, a[0], func(v Value) bool {
			p := v.(*keyValue)
			each := func(x Value) { parts = append(parts, encodeForm(m.text(p.key))+"="+encodeForm(m.text(x))) }
			if list, ok := p.value.(*array); ok {
				for _, x := range list.items {
					each(x)
				}
			} else {
				each(p.value)
			}
			return true
		})
		return strings.Join(parts, "&")
	}
	for _, name := range []string{"ToQueryString", "ToFormUrlEncodedContent"} {
		for _, v := range []string{"string", "string[]", "IList<string>"} {
			for _, k := range []string{"IDictionary", "IReadOnlyDictionary"} {
				b.native("static string "+name+"(this "+k+"<string, "+v+"> dictionary)", query)
			}
		}
	}
}
