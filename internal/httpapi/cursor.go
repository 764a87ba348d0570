package httpapi

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/tenant"
)

// cursors seal the places where pages of documents end. A cursor is good for one
// organization, filter and sort only, which are bound into its seal. Clients can neither read
// what it holds nor make one up. It holds nothing of a collection, so it is good on every
// instance and after a move.
type cursors struct{ aead cipher.AEAD }

// newCursors derives the key from a secret; without a secret, cursors end with the process.
func newCursors(secret []byte) (cursors, error) {
	if len(secret) == 0 {
		secret = make([]byte, 32)
		_, _ = rand.Read(secret) // never fails
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "orgd cursors of documents, 1", 32)
	if err != nil {
		return cursors{}, fmt.Errorf("derive the key of cursors: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return cursors{}, fmt.Errorf("make the cipher of cursors: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return cursors{aead}, err
}

// A cursorState is what a cursor holds.
type cursorState struct {
	Order []cursorKey     `bson:"o,omitempty"`
	Desc  bool            `bson:"d,omitempty"`
	Keys  []bson.RawValue `bson:"k,omitempty"`
	ID    bson.RawValue   `bson:"i"`
}

type cursorKey struct {
	Path string `bson:"p"`
	Desc bool   `bson:"d,omitempty"`
}

// scope is what a cursor is good for.
func scope(orgID string, filter tenant.Filter, sort []tenant.Key, desc bool) []byte {
	h := sha256.New()
	part := func(b []byte) {
		_ = binary.Write(h, binary.BigEndian, uint64(len(b))) // to a hash, which takes all
		h.Write(b)
	}
	part([]byte(orgID))
	part(filter.Document())
	for _, key := range sort {
		part([]byte(key.Path))
		part(fmt.Append(nil, key.Desc))
	}
	part(fmt.Append(nil, len(sort), desc))
	return h.Sum(nil)
}

func (c cursors) seal(p tenant.Place, scope []byte) (string, error) {
	s := cursorState{Desc: p.Desc, Keys: p.Keys, ID: p.ID}
	for _, key := range p.Order {
		s.Order = append(s.Order, cursorKey(key))
	}
	plain, err := bson.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("make a cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(c.aead.Seal(nil, nil, plain, scope)), nil
}

// open reports false for a text that seal has not made, or has made for another scope.
func (c cursors) open(text string, scope []byte) (*tenant.Place, bool) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // which the decoder passes over
		return nil, false
	}
	plain, err := c.aead.Open(nil, nil, sealed, scope)
	if err != nil {
		return nil, false
	}
	var s cursorState
	if err := bson.Unmarshal(plain, &s); err != nil || len(s.Keys) != len(s.Order) {
		return nil, false
	}
	p := &tenant.Place{Desc: s.Desc, Keys: s.Keys, ID: s.ID}
	for _, key := range s.Order {
		p.Order = append(p.Order, tenant.Key(key))
	}
	return p, true
}
