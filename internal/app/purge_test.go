package app_test

import (
	"testing"
	"time"
)

// The server itself brings deletions to their end when their time of grace is over.
func TestPurgeComesByItself(t *testing.T) {
	t.Parallel()
	w := start(t, "DELETE_GRACE=1s", "OPERATOR_KEY=Vt7_kQ2.rZ9-pX4~mB6+wN1/cL8=hD3yS5gF0jA")
	acc := w.account("Acme")
	if w.do("DELETE", "/org/delete", "", acc.auth).is(200).text("purge_after") == "" {
		t.Error("no time of grace")
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if a := w.do("GET", "/org/get?organization_name=Acme", ""); a.status == 404 || time.Now().After(deadline) {
			a.is(404, "not_found")
			return
		}
	}
}
