package memory

import (
	"errors"
	"io"
)

// A Buffer holds bytes that come in. It grows as they come, and takes the memory for that
// first; the length that a client declares counts for nothing.
type Buffer struct {
	take func(bytes int) error
	give func(bytes int)
	data []byte
}

// NewBuffer makes a buffer that takes its memory by take, and gives it back by give.
func NewBuffer(take func(bytes int) error, give func(bytes int)) *Buffer {
	return &Buffer{take: take, give: give}
}

// Bytes are those that came so far. They are good until more come.
func (b *Buffer) Bytes() []byte { return b.data }

// firstRoom is what a buffer has at first, in bytes.
const firstRoom = 1 << 10

// grow makes room for n bytes and more, up to most in all.
func (b *Buffer) grow(n, most int) error {
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

// Add appends bytes, of which there will be at most so many in all.
func (b *Buffer) Add(p []byte, most int) error {
	if err := b.grow(len(p), most); err != nil {
		return err
	}
	b.data = append(b.data, p...)
	return nil
}

// ReadAll reads to the end, which comes after at most so many bytes.
func (b *Buffer) ReadAll(r io.Reader, most int) error {
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

// Free forgets the bytes and gives all memory back.
func (b *Buffer) Free() {
	b.give(cap(b.data))
	b.data = nil
}
