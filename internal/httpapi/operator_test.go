package httpapi

import (
	"strings"
	"testing"
)

const operatorKey = `0123456789=abcdef!"#$%&'()*+,-./:;<=>?@[]^_{|}~`

func withOperator(c *Config, _ *script) { c.OperatorKey = operatorKey }

func TestOperatorKey(t *testing.T) {
	s := start(t, withOperator)
	const path = "/operator/organizations/" + orgID
	for _, c := range []struct {
		method, path, call string
	}{
		{"GET", path, "organization " + orgID}, {"POST", path + "/suspend", "suspend " + orgID}, {"POST", path + "/resume", "resume " + orgID},
		{"POST", path + "/restore", "restore " + orgID}, {"GET", "/operator/organizations?state=suspended&limit=2", `organizations "suspended" "" 2`},
	} {
		for auth, want := range map[string]int{
			"Bearer " + operatorKey: 200, "bearer  " + operatorKey: 200,
			"": 401, "Bearer": 401, "Bearer ": 401, "Basic " + operatorKey: 401, operatorKey: 401, "Bearer x" + operatorKey: 401,
			"Bearer " + operatorKey[1:]: 401, "Bearer " + strings.ToUpper(operatorKey): 401, "Bearer " + s.token: 401,
		} {
			headers := []string{"Authorization: " + auth}
			if auth == "" {
				headers = nil
			}
			got, call := s.do(c.method, c.path, "", headers...), ""
			if want == 200 {
				call = c.call
			}
			if calls := s.store.took(); got.status != want || calls != call {
				t.Errorf("%s %s with %q: %d, calls %s", c.method, c.path, auth, got.status, calls)
			}
		}
	}
	twice := s.do("GET", path, "", "Authorization: Bearer "+operatorKey, "Authorization: Bearer "+operatorKey)
	if twice.status != 401 {
		t.Errorf("two headers: %d", twice.status)
	}
}

// The operator's key opens nothing else, and without one there is no such plane.
func TestOperatorPlaneIsApart(t *testing.T) {
	s := start(t, withOperator)
	if got := s.do("DELETE", "/org/delete", "", "Authorization: Bearer "+operatorKey); got.status != 401 {
		t.Errorf("the operator's key as a token: %d", got.status)
	}
	none := start(t)
	for _, path := range []string{"", "/" + orgID, "/" + orgID + "/suspend", "/" + orgID + "/nothing"} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			for _, auth := range []string{"Bearer", "Bearer ", "Bearer " + none.token, "Bearer " + operatorKey} {
				if got := none.do(method, "/operator/organizations"+path, "", "Authorization: "+auth); got.status != 404 {
					t.Errorf("%s %s with %q: %d %s", method, path, auth, got.status, got.body)
				}
			}
		}
	}
	if calls := none.store.took(); calls != "" {
		t.Errorf("calls %s", calls)
	}
}

// TestIntegersMayBeWrittenInAnyWay: what JSON Schema takes for an integer is one.
func TestIntegersMayBeWrittenInAnyWay(t *testing.T) {
	s := start(t, withOperator)
	for body, want := range map[string]string{
		`{"max_documents":1.0,"max_bytes":1e3}`:                   "SetQuota 1 1000",
		`{"max_documents":10E-1,"max_bytes":9007199254740991}`:    "SetQuota 1 9007199254740991",
		`{"max_documents":null,"max_bytes":9.007199254740991e15}`: "SetQuota 0 9007199254740991",
		`{"max_documents":1.5}`:                                   "", `{"max_bytes":1e300}`: "", `{"max_bytes":1e400}`: "", `{"max_bytes":0.0}`: "",
	} {
		got := s.do("PUT", "/operator/organizations/"+orgID+"/quota", body, "Authorization: Bearer "+operatorKey, "Content-Type: application/json")
		wantStatus := 404 // the script's
		if want == "" {
			wantStatus = 400
		}
		if calls := s.store.took(); calls != want || got.status != wantStatus {
			t.Errorf("%s: %d %s, calls %q", body, got.status, got.body, calls)
		}
	}
}
