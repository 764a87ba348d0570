package wire

import (
	"bytes"
	"hash/maphash"
)

// Names finds the fields of one document by their names. It keeps no names, which the
// document itself has, but where in it they begin: of the first few in a list, of more in
// a hash table, 8 to 16 bytes a name however long that is. The zero value has none.
type Names struct {
	few   [fewNames]uint32
	count int
	slots []uint32 // where names begin, 0 where a slot is free; nil while they are few
	seed  maphash.Seed
}

const (
	// fewNames is how many are looked at one by one. It is a power of two, as are the
	// lengths of hash tables.
	fewNames = 16
	// taken is set in the place of a name that Take has returned. No place is so large.
	taken = 1 << 31
)

// Add takes the name of a field that begins at a place in doc, or is going to: all those
// added before are there. It reports false if one of them is the same. A name has no NUL.
func (n *Names) Add(doc []byte, at int, name []byte) bool {
	if n.slots == nil && n.count < fewNames {
		if n.find(doc, name) != nil {
			return false
		}
		n.few[n.count] = uint32(at)
		n.count++
		return true
	}
	if 2*n.count >= len(n.slots) {
		n.rehash(doc)
	}
	slot := n.slot(doc, name)
	if *slot != 0 {
		return false
	}
	*slot = uint32(at)
	n.count++
	return true
}

// Take returns where the field of that name begins with its name, and whether it is
// asked for the first time; 0 if there is none.
func (n *Names) Take(doc, name []byte) (at int, first bool) {
	place := n.find(doc, name)
	if place == nil || *place == 0 {
		return 0, false
	}
	first = *place&taken == 0
	*place |= taken
	return int(*place &^ taken), first
}

// find returns the place of a name; nil, or a free slot, if it is not there.
func (n *Names) find(doc, name []byte) *uint32 {
	if n.slots != nil {
		return n.slot(doc, name)
	}
	for i, at := range n.few[:n.count] {
		if isNamed(doc, at, name) {
			return &n.few[i]
		}
	}
	return nil
}

// rehash moves the names into a table that is a quarter full.
func (n *Names) rehash(doc []byte) {
	old := n.slots
	if old == nil {
		old, n.seed = n.few[:n.count], maphash.MakeSeed() // so that no client can choose names that collide
	}
	n.slots = make([]uint32, 4*n.count)
	for _, at := range old {
		if at != 0 {
			name, _, _ := bytes.Cut(doc[at&^taken:], []byte{0})
			*n.slot(doc, name) = at
		}
	}
}

// slot returns the slot of a name, or the free one that is for it.
func (n *Names) slot(doc, name []byte) *uint32 {
	last := len(n.slots) - 1
	i := int(maphash.Bytes(n.seed, name)) & last
	for n.slots[i] != 0 && !isNamed(doc, n.slots[i], name) {
		i = (i + 1) & last
	}
	return &n.slots[i]
}

// isNamed reports whether the name that begins there is this one.
func isNamed(doc []byte, at uint32, name []byte) bool {
	at &^= taken
	end := int(at) + len(name)
	return end < len(doc) && doc[end] == 0 && bytes.Equal(doc[at:end], name)
}
