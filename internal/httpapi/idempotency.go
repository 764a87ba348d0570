package httpapi

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/httpapi/network"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

const idempotencyKey = "Idempotency-Key"

// fingerprints tells requests apart by something that can be stored. A request may
// Hold a password, and a plain digest of it would let whoever reads the database try
// passwords far faster than against their bcrypt hash. So it takes a key that is not in
// the database. When the server's secret changes, so do the fingerprints: keys
// that are used again after that are refused as used for another request.
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

// of is that of a request and its body: method, path, query and body, each with its
// length.
func (f fingerprints) of(r *http.Request, body []byte) []byte {
	mac := hmac.New(sha256.New, f.key)
	for _, part := range [][]byte{[]byte(r.Method), []byte(r.URL.EscapedPath()), []byte(r.URL.RawQuery), body} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// network tells providers' networks apart, and does not tell which they are to who does not
// have the key.
func (f fingerprints) network(address string) string {
	mac := hmac.New(sha256.New, f.key)
	mac.Write([]byte("network " + network.Provider(address)))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// once carries a request out, or answers as it was answered before. It comes after
// everything that can refuse a request: what is told again is told to those who
// would be told now.
func (a *API) once(ec echo.Context, next echo.HandlerFunc) error {
	c, r := callOf(ec), ec.Request()
	keys := r.Header[idempotencyKey]
	switch {
	case !c.op.Keyed() || len(keys) == 0:
		return next(ec)
	case len(keys) > 1:
		return &problem.Refusal{Kind: problem.Malformed, Fields: []problem.Field{{Parameter: idempotencyKey, Detail: "is given more than once"}}}
	}
	once := tenant.IdempotentRequest{Key: keys[0], Fingerprint: a.fingerprints.of(r, c.body)}
	if c.principal != nil {
		once.OrgID = c.principal.OrgID
	} else {
		once.Network = a.fingerprints.network(c.address)
	}
	claim, answer, err := a.Store.Claim(r.Context(), once)
	if err != nil {
		return err
	}
	c.claim = claim
	if answer == nil {
		return a.firstTime(ec, claim, next)
	}
	if c.principal != nil { // whose organization may have gone while the answer was looked up
		if _, err := a.Store.Authenticate(r.Context(), *c.principal); err != nil {
			return err
		}
	}
	ec.Response().Header().Set("Idempotency-Replayed", "true")
	if answer.Remake {
		return next(ec)
	}
	return writeAgain(ec, answer)
}

// firstTime keeps the answer before the client gets it. What becomes of the key does
// not depend on whether the client waits.
func (a *API) firstTime(ec echo.Context, claim *tenant.Claim, next echo.HandlerFunc) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ec.Request().Context()), endTimeout)
	defer cancel()
	end := claim.Release // in a panic, too
	defer func() { a.tellOfKey(ctx, end(ctx)) }()

	client := ec.Response().Writer
	held := &heldAnswer{ResponseWriter: client, keep: func(answer tenant.Answer) {
		if claim.Done(ctx, answer) == nil {
			end = func(context.Context) error { return nil }
		}
	}}
	ec.Response().Writer = held
	err := next(ec)
	ec.Response().Writer = client
	if err == nil {
		return held.release()
	}
	if p := callOf(ec).problem(err); !held.released && (p.Status < http.StatusInternalServerError || p.Code == org.QuotaExceeded) {
		end = claim.Withdraw
	}
	return err
}

// endTimeout is for how long an answer waits to be kept.
const endTimeout = 10 * time.Second

// tellOfKey logs that an attempt could not be ended. The client need not know: the
// request is answered, and sent again it finds what this one has done.
func (a *API) tellOfKey(ctx context.Context, err error) {
	if err != nil && !errors.Is(err, tenant.ErrClaimLost) {
		a.Logger.LogAttrs(ctx, slog.LevelWarn, "the end of a request with an idempotency key was not written down",
			slog.String("request_id", callFrom(ctx).id), slog.String("error", err.Error()))
	}
}

// heldAnswer holds an answer back until it is kept: all of it, or, as no more than that is
// kept, tenant.MaxKeptBody. Its headers are the client's.
type heldAnswer struct {
	http.ResponseWriter
	keep     func(tenant.Answer)
	status   int
	body     bytes.Buffer
	released bool
}

// WriteHeader implements http.ResponseWriter.
func (h *heldAnswer) WriteHeader(status int) { h.status = status }

// Write implements http.ResponseWriter.
func (h *heldAnswer) Write(b []byte) (int, error) {
	if h.released {
		return h.ResponseWriter.Write(b)
	}
	h.body.Write(b)
	if h.body.Len() <= tenant.MaxKeptBody {
		return len(b), nil
	}
	return len(b), h.release()
}

// release has what is there kept, and then lets the client have it.
func (h *heldAnswer) release() error {
	if h.released {
		return nil
	}
	h.released = true
	header := h.Header()
	h.keep(tenant.Answer{Status: h.status, ContentType: header.Get("Content-Type"), Location: header.Get("Location"),
		ETag: header.Get("ETag"), Body: h.body.Bytes()})
	h.ResponseWriter.WriteHeader(h.status)
	_, err := h.ResponseWriter.Write(h.body.Bytes())
	h.body = bytes.Buffer{}
	return err
}

// writeAgain gives an answer that was given before.
func writeAgain(ec echo.Context, answer *tenant.Answer) error {
	h := ec.Response().Header()
	for name, value := range map[string]string{
		"Content-Type": answer.ContentType, "Location": answer.Location, "ETag": answer.ETag,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	ec.Response().WriteHeader(answer.Status)
	_, err := ec.Response().Write(answer.Body)
	return err
}
