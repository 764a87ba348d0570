package extjson

import (
	"bytes"
	"hash/maphash"
)

// A nameIndex tells whether a document that is being read has a name already. It
// keeps no names, which the document itself has, but where in it they are: of a
// document with few of them in a list, of others in a hash table, 8 to 16 bytes a name
// however long that is.
type nameIndex struct {
	few  []uint32     // of all documents around the place, one's behind the other's
	seed maphash.Seed // keeps a client from choosing names that collide
}

// A nameSet is one document's part of a nameIndex.
type nameSet struct {
	from  int      // its first in few
	slots []uint32 // where its names begin, 0 where a slot is free; nil while they are few
	count int      // of the names in slots
}

// fewNames is how many are looked at one by one. It is a power of two, as are the
// lengths of hash tables.
const fewNames = 16

func (x *nameIndex) open() nameSet { return nameSet{from: len(x.few)} }

func (x *nameIndex) close(s nameSet) { x.few = x.few[:s.from] }

// add takes a name that is going to stand in doc behind its end and a byte more. It
// reports false if the set has it.
func (x *nameIndex) add(s *nameSet, doc, name []byte) bool {
	at := uint32(len(doc) + 1)
	if s.slots == nil && len(x.few)-s.from < fewNames {
		for _, other := range x.few[s.from:] {
			if isNamed(doc, other, name) {
				return false
			}
		}
		x.few = append(x.few, at)
		return true
	}
	if 2*s.count >= len(s.slots) {
		x.rehash(s, doc)
	}
	slot := x.slot(s, doc, name)
	if s.slots[slot] != 0 {
		return false
	}
	s.slots[slot] = at
	s.count++
	return true
}

// rehash moves the set into a table that is a quarter full.
func (x *nameIndex) rehash(s *nameSet, doc []byte) {
	old := s.slots
	if old == nil {
		old = x.few[s.from:]
		s.count = len(old)
	}
	s.slots = make([]uint32, 4*s.count)
	for _, at := range old {
		if at != 0 {
			name := doc[at : int(at)+bytes.IndexByte(doc[at:], 0)]
			s.slots[x.slot(s, doc, name)] = at
		}
	}
}

// slot returns the slot of a name, or the free one that is for it.
func (x *nameIndex) slot(s *nameSet, doc, name []byte) int {
	last := len(s.slots) - 1
	slot := int(maphash.Bytes(x.seed, name)) & last
	for s.slots[slot] != 0 && !isNamed(doc, s.slots[slot], name) {
		slot = (slot + 1) & last
	}
	return slot
}

// isNamed reports whether the name that begins there is this one, which holds no NUL.
func isNamed(doc []byte, at uint32, name []byte) bool {
	end := int(at) + len(name)
	return end < len(doc) && doc[end] == 0 && bytes.Equal(doc[at:end], name)
}
