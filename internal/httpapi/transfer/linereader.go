package transfer

import (
	"bufio"
	"errors"
	"io"

	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/httpapi/memory"
)

// streamChunk is how much of a stream is read, or written, at a time, in bytes.
const streamChunk = 64 << 10

// A lineReader reads lines of at most contract.DocumentBodyLimit.
type lineReader struct {
	r      *bufio.Reader
	long   *memory.Buffer // a line that does not fit into r
	number int64
}

// newLineReader makes a lineReader that takes the memory for long lines, and gives it back.
func newLineReader(r io.Reader, take func(int) error, give func(int)) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, streamChunk), long: memory.NewBuffer(take, give)}
}

// next returns a line, which is good until the next. io.EOF is the end of the stream,
// errLineTooLong the only error after which there may be more lines. The beginning of a
// line whose rest did not come is not returned.
func (l *lineReader) next() ([]byte, error) {
	l.number++
	l.long.Free()
	over := false
	for {
		part, err := l.r.ReadSlice('\n')
		full := errors.Is(err, bufio.ErrBufferFull)
		if over = over || len(l.long.Bytes())+len(part) > contract.DocumentBodyLimit; over {
			l.long.Free()
		}
		switch {
		case err != nil && !full && (err != io.EOF || len(part)+len(l.long.Bytes()) == 0 && !over):
			return nil, err
		case over && full:
			continue
		case over:
			return nil, errLineTooLong
		case !full && len(l.long.Bytes()) == 0:
			return part, nil
		}
		if err := l.long.Add(part, contract.DocumentBodyLimit); err != nil || !full {
			return l.long.Bytes(), err
		}
	}
}
