package policy

import "testing"

func TestPlanes(t *testing.T) {
	for _, c := range []struct {
		method, path string
		want         Operation
	}{
		{"GET", "/operator/orgs", Operation{Credential: OperatorKey, Safe: true, Repeatable: true}},
		{"POST", "/operator/orgs/1/suspend", Operation{Credential: OperatorKey}},
		{"POST", "/operatorx", Operation{Credential: Token}},
		{"POST", "/operator/organizations/1/suspend", Operation{Credential: OperatorKey, Repeatable: true}},
		{"POST", "/org/documents", Operation{Credential: Token, Repeatable: true, Keyed: true}},
		{"POST", "/org/documents/query", Operation{Credential: Token, Safe: true, Repeatable: true}},
		{"POST", "/org/export", Operation{Credential: Token, Safe: true, Repeatable: true}},
		{"POST", "/org/import", Operation{Credential: Token}},
		{"POST", "/org/unknown", Operation{Credential: Token}},
		{"PATCH", "/org/documents/1", Operation{Credential: Token, Repeatable: true}},
		{"PATCH", "/org/documents/a%2Fb", Operation{Credential: Token, Repeatable: true}},
		{"PUT", "/org/documents/1", Operation{Credential: Token, Repeatable: true}},
		{"DELETE", "/org/documents/1", Operation{Credential: Token, Repeatable: true}},
		{"POST", "/admin/login", Operation{Credential: NoCredential, Safe: true, Repeatable: true}},
	} {
		if got := Of(c.method, c.path); got != c.want {
			t.Errorf("%s %s is %+v, want %+v", c.method, c.path, got, c.want)
		}
	}
}
