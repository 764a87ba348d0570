package jsondoc

import (
	"bytes"

	"github.com/orgd/orgd/internal/tenant"
)

// StoreRoom is how many copies of a document there are beside itself while it is stored: as it
// is stored, and in what the storage writes.
const StoreRoom = 2

// PatchRoom is what a merge patch takes beside itself and the document: the document that comes
// of the two, and to store that.
func PatchRoom(document, patch int) int {
	return document + patch + StoreRoom*min(document+patch, tenant.MaxDocument)
}

// ParseRoom is the most that reading a document takes beside its text: as many bytes; where
// that has room for less than the largest document, up to 14 bytes for each element ([1,1]),
// twice as it is copied when it grows; and what keeps names apart, 16 bytes for each.
func ParseRoom(text []byte) int {
	names := bytes.Count(text, []byte(":"))
	elements := names + bytes.Count(text, []byte(",")) + bytes.Count(text, []byte("{")) + bytes.Count(text, []byte("["))
	room := len(text) + 16 + min(16*names, 2*len(text), 2*tenant.MaxDocument)
	if len(text) < tenant.MaxDocument {
		room += min(2*14*elements, 2*tenant.MaxDocument-len(text))
	}
	return room
}
