package journal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// The format of logs and manifests: blocks of chunkBlock bytes, each of which is a row of
// chunks and, where no other one fits, zeros. A chunk is a checksum, its length, its kind,
// and in a log the log's number and how much of the log had been synced when it was written.
// A record is one chunk or several. Pebble's own reader does not tell where it stopped.
const (
	chunkBlock   = 32 << 10
	chunkPlain   = 7  // bytes of a header without the rest
	chunkLog     = 11 // with the log's number
	chunkSynced  = 19 // with how much had been synced
	lastPlain    = 4  // kinds, each of them whole, first, middle, last
	lastLog      = 8
	lastSynced   = 12
	endOfLogKind = lastPlain + 1 // with the next log's number, no length and no checksum
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A chunk is what is read of one.
type chunk struct {
	kind   byte
	synced uint64 // how much of the log
	data   []byte
	size   int // with the header
}

// ends reports whether it is the last of a record.
func (c chunk) ends() bool { return c.kind%4 == 0 || c.kind%4 == 1 }

// readChunk reads the chunk of a log of that number, or of a manifest (0), with which b
// begins; false if there is none that is whole.
func readChunk(b []byte, number uint32) (c chunk, ok bool) {
	if len(b) < chunkPlain || b[6] == 0 || b[6] > lastSynced {
		return c, false
	}
	c.kind = b[6]
	header, of := chunkPlain, uint32(0)
	if c.kind > lastPlain {
		if header = chunkLog; c.kind > lastLog {
			header = chunkSynced
		}
	}
	if c.size = header + int(binary.LittleEndian.Uint16(b[4:])); c.size > len(b) {
		return c, false
	}
	if header >= chunkLog {
		of = binary.LittleEndian.Uint32(b[7:])
	}
	if header >= chunkSynced {
		c.synced = binary.LittleEndian.Uint64(b[11:])
	}
	if of != number { // before the checksum, which costs something
		return c, false
	}
	c.data = b[header:c.size]
	sum := crc32.Checksum(b[6:c.size], castagnoli)
	return c, binary.LittleEndian.Uint32(b) == (sum>>15|sum<<17)+0xa282ead8
}

// isEndOfLog reports whether b begins with what a log is closed with.
func isEndOfLog(b []byte, number uint32) bool {
	return len(b) >= chunkLog && b[6] == endOfLogKind && binary.LittleEndian.Uint32(b) == 0 &&
		binary.LittleEndian.Uint16(b[4:]) == 0 && binary.LittleEndian.Uint32(b[7:]) == number+1
}

// An ending is how far a log or a manifest can be read.
type ending struct {
	records int
	bytes   int64
	whole   bool // the file ends there, with the end of a record
	closed  bool // the log was closed there
	// damaged: something behind the end, which is whole, was written when what is at the
	// end had been synced.
	damaged bool
}

// before reports whether what can be read is less than was synced.
func (e ending) before(bytes int64) bool { return !e.closed && e.bytes < bytes }

// A chunkReader reads a log of a number, or a manifest (0).
type chunkReader struct {
	r      io.Reader
	number uint32
	visit  func(data []byte) // gets the first chunk of each record; may be nil
	inside bool              // a record
	buf    [chunkBlock]byte
	end    ending
}

// readChunks reads a file to its end, or to where it is not whole any more.
func readChunks(r io.Reader, number uint32, visit func(data []byte)) (ending, error) {
	cr := &chunkReader{r: r, number: number, visit: visit}
	for {
		block, err := cr.next()
		if err != nil {
			return cr.end, err
		}
		if len(block) == 0 {
			cr.end.whole = !cr.inside
			return cr.end, nil
		}
		rest := cr.block(block)
		if len(block) == chunkBlock && len(rest) < chunkSynced && allZero(rest) {
			cr.end.bytes += chunkBlock
			continue
		}
		cr.end.bytes += int64(len(block) - len(rest))
		cr.end.closed = !cr.inside && isEndOfLog(rest, number)
		cr.end.whole = !cr.inside && (len(rest) == 0 || cr.end.closed)
		if !cr.end.whole {
			cr.end.damaged, err = cr.contradicted(rest)
		}
		return cr.end, err
	}
}

// next reads a block: less at the end of the file, and nothing behind it.
func (cr *chunkReader) next() ([]byte, error) {
	n, err := io.ReadFull(cr.r, cr.buf[:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return cr.buf[:n], err
}

// block reads the chunks of a block and returns what is behind them.
func (cr *chunkReader) block(rest []byte) []byte {
	for {
		c, ok := readChunk(rest, cr.number)
		if !ok {
			return rest
		}
		if !cr.inside && cr.visit != nil {
			cr.visit(c.data)
		}
		if cr.inside = !c.ends(); !cr.inside {
			cr.end.records++
		}
		rest = rest[c.size:]
	}
}

// contradicted looks in what is behind the end of a log for a chunk that was written when
// more than that had been synced.
func (cr *chunkReader) contradicted(rest []byte) (bool, error) {
	for len(rest) > 0 {
		for i := range rest {
			if c, ok := readChunk(rest[i:], cr.number); ok && c.synced > uint64(cr.end.bytes) {
				return true, nil
			}
		}
		var err error
		if rest, err = cr.next(); err != nil {
			return false, err
		}
	}
	return false, nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
