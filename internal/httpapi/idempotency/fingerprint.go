package idempotency

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/http"

	"github.com/orgd/orgd/internal/httpapi/network"
)

// fingerprints tells requests apart by something that can be stored. A request may hold a
// password, and with a plain digest of the request a reader of the database could try passwords
// far faster than against their bcrypt hash. So a fingerprint takes a key that is not in the
// database. When the server's secret changes, so do the fingerprints: keys that are used again
// after that are refused as used for another request.
type fingerprints struct{ key []byte }

func newFingerprints(secret []byte) fingerprints {
	if len(secret) == 0 {
		secret = make([]byte, 32)
		_, _ = rand.Read(secret) // never fails
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("orgd: fingerprints of requests with an idempotency key"))
	return fingerprints{mac.Sum(nil)}
}

// of is the fingerprint of a request: of its method, path, query and body, each with its
// length.
func (f fingerprints) of(r *http.Request, body []byte) []byte {
	mac := hmac.New(sha256.New, f.key)
	for _, part := range [][]byte{[]byte(r.Method), []byte(r.URL.EscapedPath()), []byte(r.URL.RawQuery), body} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// network tells providers' networks apart, and does not tell which they are without the key.
func (f fingerprints) network(address string) string {
	mac := hmac.New(sha256.New, f.key)
	mac.Write([]byte("network " + network.Provider(address)))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}
