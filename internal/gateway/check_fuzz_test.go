package gateway

import "testing"

func FuzzCheckPolicy(f *testing.F) {
	for _, s := range []string{
		`<policies><inbound><base/><set-body template="liquid">{{body.a | Upcase}}</set-body></inbound></policies>`,
		`<fragment><validate-content unspecified-content-type-action="prevent" max-size="{{n}}" size-exceeded-action="${a}"/></fragment>`,
		`<policies><inbound><set-variable name="{x}" value="@({{n}} + $"{context.Api.Id}")"/>%{ if a }<!--> x <--></inbound></policies>`,
		`<policies><outbound><xml-to-json kind="direct" apply="always"/><jsonp callback-parameter-name="cb"/></outbound></policies>`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, templates := range []bool{false, true} {
			for _, fault := range CheckPolicy(text, CheckOptions{Templates: templates}) {
				if fault.Line < 1 || fault.Column < 1 || fault.Message == "" {
					t.Errorf("%+v", fault)
				}
			}
		}
	})
}
