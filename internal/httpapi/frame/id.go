package frame

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/httpapi/request"
)

// identify gives the request its state and its id, which is the client's own if that is decent.
func identify(ec echo.Context) *request.State {
	r := ec.Request()
	id := r.Header.Get("X-Request-Id")
	if !decentID(id) {
		id = newID()
	}
	ec.Response().Header()["X-Request-Id"] = []string{id}
	s := &request.State{ID: id, Head: r.Method == http.MethodHead}
	ec.SetRequest(request.With(r, s))
	return s
}

// decentID is ^[A-Za-z0-9._:-]{1,128}$: a text that may stand in a
// header, a log line and a problem as it is.
func decentID(id string) bool {
	if len(id) == 0 || len(id) > 128 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
