// Package idempotency carries out a request with an Idempotency-Key once, and answers it again
// as it was answered before. What is stored of the request is a fingerprint.
package idempotency

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

const header = "Idempotency-Key"

// Keys answers requests with an idempotency key.
type Keys struct {
	store        *tenant.Store
	logger       *slog.Logger
	fingerprints fingerprints
}

// New makes Keys. The secret keeps what a request holds from being guessed from what is stored
// of it; it is the same on all instances. Without one the fingerprints end with the process.
func New(store *tenant.Store, logger *slog.Logger, secret []byte) *Keys {
	return &Keys{store: store, logger: logger, fingerprints: newFingerprints(secret)}
}

// Once carries a request out, or answers it as it was answered before. It comes after the guard:
// an answer is given again only to a client that would be given it now.
func (k *Keys) Once(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ec echo.Context) error { return k.once(ec, next) }
}

func (k *Keys) once(ec echo.Context, next echo.HandlerFunc) error {
	s, r := stateOf(ec), ec.Request()
	keys := r.Header[header]
	switch {
	case len(keys) == 0:
		return next(ec)
	case len(keys) > 1:
		return problem.Misfit(problem.Field{Parameter: header, Detail: "is given more than once"})
	}
	once := tenant.IdempotentRequest{Key: keys[0], Fingerprint: k.fingerprints.of(r, s.Body)}
	if s.Principal != nil {
		once.OrgID = s.Principal.OrgID
	} else {
		once.Network = k.fingerprints.network(s.Address)
	}
	claim, answer, err := k.store.Claim(r.Context(), once)
	if err != nil {
		return err
	}
	s.Claim = claim
	if answer == nil {
		return k.firstTime(ec, claim, next)
	}
	if s.Principal != nil { // the organization may have gone while the answer was looked up
		if _, err := k.store.Authenticate(r.Context(), *s.Principal); err != nil {
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
func (k *Keys) firstTime(ec echo.Context, claim *tenant.Claim, next echo.HandlerFunc) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ec.Request().Context()), endTimeout)
	defer cancel()
	end := claim.Release // in a panic, too
	defer func() { k.logEnd(ctx, end(ctx)) }()

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
	if p := stateOf(ec).Problem(err); !held.released && (p.Status < http.StatusInternalServerError || p.Code == org.QuotaExceeded) {
		end = claim.Withdraw
	}
	return err
}

// endTimeout bounds how long an answer waits to be kept.
const endTimeout = 10 * time.Second

// logEnd logs that the end of an attempt could not be stored. The client need not know: the
// request is answered, and if it is sent again it finds what was done.
func (k *Keys) logEnd(ctx context.Context, err error) {
	if err != nil && !errors.Is(err, tenant.ErrClaimLost) {
		k.logger.LogAttrs(ctx, slog.LevelWarn, "the end of a request with an idempotency key was not written down",
			slog.String("request_id", request.Of(ctx).ID), slog.String("error", err.Error()))
	}
}

// heldAnswer holds an answer back until it is kept: all of it, or the first tenant.MaxKeptBody
// bytes, since no more than that are kept. Its headers are those that the client gets.
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

// release has what was written so far kept, and then lets the client have it.
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

func stateOf(ec echo.Context) *request.State { return request.Of(ec.Request().Context()) }
