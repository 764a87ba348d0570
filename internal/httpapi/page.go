package httpapi

import (
	"encoding/base64"

	"github.com/google/uuid"

	"github.com/orgd/orgd/internal/org"
)

// defaultLimit is the default of the contract's parameter Limit.
const defaultLimit = 50

func limitOf(limit *int32) int {
	if limit == nil {
		return defaultLimit
	}
	return int(*limit)
}

// cursorAfter makes a cursor of the id of a page's last item; nil of "", which is after the last
// page.
func cursorAfter(id string) *string {
	u, err := uuid.Parse(id)
	if err != nil {
		return nil
	}
	text := base64.RawURLEncoding.EncodeToString(u[:])
	return &text
}

// afterCursor returns the id of a cursor; "" without one, which is the first page.
func afterCursor(cursor *string) (string, error) {
	if cursor == nil {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(*cursor)
	if err == nil {
		var id uuid.UUID
		if id, err = uuid.FromBytes(raw); err == nil {
			return id.String(), nil
		}
	}
	return "", &org.Error{Kind: org.Invalid, Err: err, Fields: []org.FieldError{
		{Field: "cursor", Detail: "is not a next_cursor of a page of this list; leave it out to begin at the first page"},
	}}
}
