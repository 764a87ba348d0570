package httpapi

import (
	"errors"
	"io"
)

// A buffer holds bytes that come in. It grows as they come, and takes the memory for that
// first; what a client says will come counts for nothing.
type buffer struct {
	take func(bytes int) error
	give func(bytes int)
	data []byte
}

// newBuffer makes one that takes its memory by take, and gives it back by give.
func newBuffer(take func(bytes int) error, give func(bytes int)) *buffer {
	return &buffer{take: take, give: give}
}

// bytes are those that came so far. They are good until the next that comes.
func (b *buffer) bytes() []byte { return b.data }

// firstRoom is what a buffer has at first, in bytes.
const firstRoom = 1 << 10

// grow makes room for n bytes and more, up to most in all.
func (b *buffer) grow(n, most int) error {
	if n <= cap(b.data)-len(b.data) {
		return nil
	}
	size := max(len(b.data)+n, min(max(2*cap(b.data), firstRoom), most))
	if err := b.take(size); err != nil {
		return err
	}
	old := cap(b.data)
	b.data = append(make([]byte, 0, size), b.data...)
	b.give(old)
	return nil
}

// add appends bytes, of which there will be at most most in all.
func (b *buffer) add(p []byte, most int) error {
	if err := b.grow(len(p), most); err != nil {
		return err
	}
	b.data = append(b.data, p...)
	return nil
}

// readAll reads to the end, which comes after at most most bytes.
func (b *buffer) readAll(r io.Reader, most int) error {
	for {
		if err := b.grow(1, most+1); err != nil { // one more, to see the end
			return err
		}
		n, err := r.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// free forgets the bytes and gives all memory back.
func (b *buffer) free() {
	b.give(cap(b.data))
	b.data = nil
}
