package httpapi

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/extjson"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// An importItem is a line of an import: a document, or why it is none.
type importItem struct {
	line    int64
	body    bson.Raw
	refusal error
	room    int // the memory that is taken for it
}

// readImportLine reads one; false for a line that is of no document: a blank one,
// or the last of a whole export.
func readImportLine(text []byte) (importItem, bool) {
	if len(bytes.TrimSpace(text)) == 0 {
		return importItem{}, false
	}
	doc, err := readImportDocument(text)
	return importItem{body: doc, refusal: err}, doc != nil || err != nil
}

// readImportDocument returns a document with an _id, its own or a new one; nil for
// the trailer of a whole export.
func readImportDocument(text []byte) (bson.Raw, error) {
	doc, err := readDocument(text)
	if err != nil {
		if whole, ok := isTrailer(text); ok && whole {
			return nil, nil
		} else if ok {
			return nil, errHalfExport
		}
		return nil, err
	}
	if first, err := doc.IndexErr(0); err == nil && first.Key() == "_id" {
		return doc, nil
	}
	fresh := bson.NewObjectID()
	return tenant.WithID(doc, bson.RawValue{Type: bson.TypeObjectID, Value: fresh[:]}), nil
}

var errHalfExport = org.Errorf(org.Invalid, "The export that ends here is not complete: documents of it are missing.")

// maxTrailer is more than a trailer ever has, in bytes.
const maxTrailer = 64 << 10

// isTrailer reports whether a line is the last of an export, which no document can
// be, and whether that came to its end.
func isTrailer(text []byte) (whole, ok bool) {
	if len(text) > maxTrailer {
		return false, false
	}
	line, err := extjson.Parse(text, extjson.Documents)
	if err != nil {
		return false, false
	}
	all, err := line.Elements()
	if err != nil || len(all) != 1 || all[0].Key() != trailerName {
		return false, false
	}
	trailer, ok := all[0].Value().DocumentOK()
	if !ok {
		return false, false
	}
	complete, said := trailer.Lookup("complete").BooleanOK()
	return complete || !said, true
}

// An importQueue holds what was read and not yet stored: up to a batch. Whoever
// stores takes all there is, so that a batch is as large as the storage is slow and the
// client fast.
type importQueue struct {
	mu      sync.Mutex
	changed sync.Cond
	items   []importItem
	size    int
	ended   bool  // nothing comes any more
	end     error // why
	closed  bool  // nobody takes any more

	storing int // taken, and not yet stored
	done    int // items that were stored
}

// importBatchBytes is when a batch is full before it has tenant.MaxBatch documents.
const importBatchBytes = 4 << 20

func (q *importQueue) init() { q.changed.L = &q.mu }

// put waits until there is room, which it tells before. It reports false when the queue is
// closed.
func (q *importQueue) put(item importItem, waits func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && (len(q.items) >= tenant.MaxBatch || q.size >= importBatchBytes) {
		waits()
		q.changed.Wait()
	}
	q.items = append(q.items, item)
	q.size += cap(item.body)
	if len(q.items) == 1 {
		q.changed.Broadcast()
	}
	return !q.closed
}

func (q *importQueue) finish(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended, q.end = true, err
	q.changed.Broadcast()
}

func (q *importQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

// take waits until there is something. Without any it returns why.
func (q *importQueue) take() ([]importItem, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 && !q.ended {
		q.changed.Wait()
	}
	items := q.items
	q.storing = len(items)
	q.items, q.size = make([]importItem, 0, min(2*len(items), tenant.MaxBatch)), 0
	q.changed.Broadcast()
	return items, q.end
}

// stored says that n items that were taken need no memory any more.
func (q *importQueue) stored(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.storing, q.done = q.storing-n, q.done+n
	q.changed.Broadcast()
}

// storedSoFar is how many items were stored.
func (q *importQueue) storedSoFar() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.done
}

// awaitStored waits until more are stored than there were, and returns how many; no more
// when none is on its way.
func (q *importQueue) awaitStored(were int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.done == were && !q.closed && len(q.items)+q.storing > 0 {
		q.changed.Wait()
	}
	return q.done
}

func roomOf(items []importItem) (room int) {
	for _, item := range items {
		room += item.room
	}
	return room
}

func bodiesOf(items []importItem) []bson.Raw {
	bodies := make([]bson.Raw, 0, len(items))
	for _, item := range items {
		if item.body != nil {
			bodies = append(bodies, item.body)
		}
	}
	return bodies
}

// A lineReader reads lines of at most DocumentBodyLimit.
type lineReader struct {
	r      *bufio.Reader
	long   *memory.Buffer // a line that does not fit into r
	number int64
}

// newLineReader makes one that takes the memory for long lines, and gives it back.
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
		if over = over || len(l.long.Bytes())+len(part) > DocumentBodyLimit; over {
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
		if err := l.long.Add(part, DocumentBodyLimit); err != nil || !full {
			return l.long.Bytes(), err
		}
	}
}

// streamChunk is how much of a stream is read, or written, at a time, in bytes.
const streamChunk = 64 << 10
