package jsondoc

import (
	"errors"
	"net/http"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/extjson"
	"github.com/orgd/orgd/internal/httpapi/wire"
)

// An Answer is an answer of documents. A short answer goes with its length; of a long one there
// is never more than a piece in memory, and it goes as the client takes it.
type Answer struct {
	w      http.ResponseWriter
	paced  *wire.Writer
	status int
	text   []byte
	begun  bool
}

// AnswerRoom is the most that an Answer of so many bytes of documents takes.
func AnswerRoom(documents int) int { return min(6*documents, extjson.MaxStreamed) }

// NewAnswer begins an answer that has about so many bytes of documents.
func NewAnswer(w http.ResponseWriter, status, documents int) *Answer {
	return &Answer{w: w, paced: wire.WriterOf(w), status: status, text: make([]byte, 0, min(documents*3/2+64, wire.PieceSize))}
}

// Raw appends text.
func (a *Answer) Raw(text string) { a.text = append(a.text, text...) }

// ShareFor lets other requests go on before so many bytes of documents are gone through.
func (a *Answer) ShareFor(bytes int) error { return a.paced.ShareFor(bytes) }

// Document appends a document.
func (a *Answer) Document(doc bson.Raw) (err error) {
	if err := a.paced.ShareFor(len(doc)); err != nil {
		return err
	}
	a.text, err = extjson.Stream{Flush: a.flush}.Append(a.text, doc)
	return err
}

func (a *Answer) flush(text []byte) ([]byte, error) {
	if !a.begun {
		a.w.Header().Set("Content-Type", "application/json")
		a.w.WriteHeader(a.status)
		a.begun = true
	}
	_, err := a.w.Write(text)
	return text[:0], errors.Join(err, a.paced.Share())
}

// End writes what is left.
func (a *Answer) End() error {
	if !a.begun {
		return Write(a.w, a.status, a.text)
	}
	_, err := a.flush(append(a.text, '\n'))
	return err
}

// Write writes an answer that is JSON already.
func Write(w http.ResponseWriter, status int, body []byte) error {
	body = append(body, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}
