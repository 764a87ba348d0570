package idempotency

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/orgd/orgd/internal/tenant"
)

// TestFingerprints: each part of a request tells, and where it ends.
func TestFingerprints(t *testing.T) {
	f := newFingerprints([]byte("secret"))
	of := func(method, target, body string) string {
		return string(f.of(httptest.NewRequest(method, target, nil), []byte(body)))
	}
	seen := map[string]string{}
	for _, r := range [][3]string{
		{"POST", "/a", "x"}, {"PUT", "/a", "x"}, {"POST", "/a?x", ""}, {"POST", "/ax", ""}, {"POST", "/a", "y"}, {"POST", "/a?", "x"}, {"POST", "/a%62", "x"},
	} {
		name := strings.Join(r[:], " ")
		if other, twice := seen[of(r[0], r[1], r[2])]; twice && r[1] != "/a?" {
			t.Errorf("%q is taken for %q", name, other)
		}
		seen[of(r[0], r[1], r[2])] = name
	}
	r := httptest.NewRequest("POST", "/a", nil)
	if bytes.Equal(newFingerprints([]byte("other")).of(r, nil), f.of(r, nil)) {
		t.Error("the secret does not matter")
	}
	if !bytes.Equal(newFingerprints([]byte("secret")).of(r, nil), f.of(r, nil)) {
		t.Error("another instance makes another of it")
	}
}

// TestNetworks: networks are told apart, and without the secret it cannot be told which they are.
func TestNetworks(t *testing.T) {
	f, other := newFingerprints([]byte("secret")), newFingerprints([]byte("other"))
	one := f.network("192.0.2.1")
	if one != f.network("192.0.3.4") || one == f.network("192.1.2.1") || one == f.network("2001:db8::1") || one == other.network("192.0.2.1") {
		t.Error("not by the provider's network and the secret")
	}
}

// TestALongAnswerIsNotHeldWhole: an answer that is too long to be kept goes on as soon as that is known
// and written down, and nothing of it before.
func TestALongAnswerIsNotHeldWhole(t *testing.T) {
	for _, size := range []int{10, tenant.MaxKeptBody, tenant.MaxKeptBody + 1, 1 << 20} {
		w := httptest.NewRecorder()
		kept := 0
		h := &heldAnswer{ResponseWriter: w, keep: func(a tenant.Answer) {
			if kept++; w.Body.Len() > 0 || a.Status != 201 || a.ETag != `"1"` || len(a.Body) > size || len(a.Body) < min(size, tenant.MaxKeptBody) {
				t.Errorf("%d: kept are %d %q and %d bytes, and the client has %d", size, a.Status, a.ETag, len(a.Body), w.Body.Len())
			}
		}}
		h.Header().Set("ETag", `"1"`)
		h.WriteHeader(201)
		piece := make([]byte, 4<<10)
		for left := size; left > 0; left -= len(piece) {
			piece = piece[:min(len(piece), left)]
			if n, err := h.Write(piece); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
			if held := h.body.Len(); held > tenant.MaxKeptBody {
				t.Fatalf("%d: %d bytes are held", size, held)
			}
		}
		if err := h.release(); err != nil || kept != 1 || w.Code != 201 || w.Body.Len() != size {
			t.Errorf("%d: kept %d times, and the client has %d and %d bytes: %v", size, kept, w.Code, w.Body.Len(), err)
		}
	}
}
