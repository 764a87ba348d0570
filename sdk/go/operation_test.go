package orgd

import "testing"

func TestPlanes(t *testing.T) {
	for _, c := range []struct {
		method, path string
		want         operation
	}{
		{"GET", "/operator/orgs", operation{credential: ofOperator, safe: true, repeatable: true}},
		{"POST", "/operator/orgs/1/suspend", operation{credential: ofOperator}},
		{"POST", "/operatorx", operation{credential: ofTenant}},
		{"POST", "/operator/organizations/1/suspend", operation{credential: ofOperator, repeatable: true}},
		{"POST", "/org/documents", operation{credential: ofTenant, repeatable: true, keyed: true}},
		{"POST", "/org/documents/query", operation{credential: ofTenant, safe: true, repeatable: true}},
		{"POST", "/org/export", operation{credential: ofTenant, safe: true, repeatable: true}},
		{"POST", "/org/import", operation{credential: ofTenant}},
		{"POST", "/org/unknown", operation{credential: ofTenant}},
		{"PATCH", "/org/documents/1", operation{credential: ofTenant, repeatable: true}},
		{"PATCH", "/org/documents/a%2Fb", operation{credential: ofTenant, repeatable: true}},
		{"PUT", "/org/documents/1", operation{credential: ofTenant, repeatable: true}},
		{"DELETE", "/org/documents/1", operation{credential: ofTenant, repeatable: true}},
		{"POST", "/admin/login", operation{credential: ofNobody, safe: true, repeatable: true}},
	} {
		if got := operationOf(c.method, c.path); got != c.want {
			t.Errorf("%s %s is %+v, want %+v", c.method, c.path, got, c.want)
		}
	}
}
