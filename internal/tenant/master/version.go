package master

import (
	"bytes"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A Version is what compare-and-swap compares: an ObjectID, none of which is made twice. So a document
// that was removed and made again never has an earlier version, and a late swap finds the version that
// it was meant for or nothing. (Documents of format 1 have a number until their next change.)
type Version = bson.RawValue

func newVersion() Version {
	id := bson.NewObjectID()
	return bson.RawValue{Type: bson.TypeObjectID, Value: id[:]}
}

const (
	versionSize = len(bson.ObjectID{})
	// trail is how many earlier versions a document remembers. A writer whose swap got no answer finds out
	// whether it was done as long as no more than that many swaps have come after it.
	trail = 8
)

// pastOf is the trail of a document's next version, the newest first.
func (m *Meta) pastOf() []byte {
	was := m.Version
	if was.Type != bson.TypeObjectID || len(was.Value) != versionSize {
		return nil
	}
	past := append(bytes.Clone(was.Value), m.Past...)
	return past[:min(len(past), trail*versionSize)]
}

// Had reports whether a version is the document's, or one of the last before it.
func (m *Meta) Had(v Version) bool { return m.fateOf(Version{}, v) == swapDone }

// fate is the outcome of a swap.
type fate int

const (
	swapUnknown fate = iota
	swapDone
	swapPending // not done, and may still be
	swapNever   // another was done in its place
)

// fateOf returns the outcome of a swap from one version to another, by the stored document.
func (m *Meta) fateOf(from, to Version) fate {
	switch {
	case m.Version.Equal(to):
		return swapDone
	case m.Version.Equal(from):
		return swapPending
	}
	for past := m.Past; len(past) >= versionSize; past = past[versionSize:] {
		switch {
		case bytes.Equal(past[:versionSize], to.Value):
			return swapDone
		case bytes.Equal(past[:versionSize], from.Value):
			return swapNever // what came after it has been looked at already
		}
	}
	return swapUnknown
}
