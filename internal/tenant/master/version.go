package master

import (
	"bytes"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A Version is what compare-and-swap compares: an ObjectID that nobody has made
// twice, so that a document which was removed and made again never has one that it had
// before, and a swap that arrives late finds either what it was meant for or nothing. (Documents
// from before have a number, which is compared as it is until their next change.)
type Version = bson.RawValue

func newVersion() Version {
	id := bson.NewObjectID()
	return bson.RawValue{Type: bson.TypeObjectID, Value: id[:]}
}

const (
	versionSize = len(bson.ObjectID{})
	// trail is how many versions before the present one a document remembers. A
	// writer that does not know whether a swap of its own was done finds out as long as not more
	// swaps than that have come after it.
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

// fate is what became of a swap.
type fate int

const (
	swapUnknown fate = iota
	swapDone
	swapPending // not done, and may still be
	swapNever   // another was done in its place
)

// fateOf says what became of a swap from one version to another, by what the document is now.
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
