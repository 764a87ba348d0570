package httpapi

import (
	"errors"
	"net/http"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/extjson"
	"github.com/orgd/orgd/internal/httpapi/wire"
)

// A jsonAnswer is an answer that is JSON already. A short one goes with its length; of a
// long one there is never more than a piece in memory, and it goes as the client takes it.
type jsonAnswer struct {
	w      http.ResponseWriter
	paced  *wire.Writer
	status int
	text   []byte
	begun  bool
}

// answerRoom is the most that a jsonAnswer of so many bytes of documents takes.
func answerRoom(documents int) int { return min(6*documents, extjson.MaxStreamed) }

// newJSONAnswer begins an answer that has about so many bytes of documents.
func newJSONAnswer(w http.ResponseWriter, status, documents int) *jsonAnswer {
	return &jsonAnswer{w: w, paced: wire.WriterOf(w), status: status, text: make([]byte, 0, min(documents*3/2+64, wire.PieceSize))}
}

// document appends one.
func (a *jsonAnswer) document(doc bson.Raw) (err error) {
	if err := a.paced.ShareFor(len(doc)); err != nil {
		return err
	}
	a.text, err = extjson.Stream{Flush: a.flush}.Append(a.text, doc)
	return err
}

func (a *jsonAnswer) flush(text []byte) ([]byte, error) {
	if !a.begun {
		a.w.Header().Set("Content-Type", "application/json")
		a.w.WriteHeader(a.status)
		a.begun = true
	}
	_, err := a.w.Write(text)
	return text[:0], errors.Join(err, a.paced.Share())
}

// end writes what is left.
func (a *jsonAnswer) end() error {
	if !a.begun {
		return writeJSON(a.w, a.status, a.text)
	}
	_, err := a.flush(append(a.text, '\n'))
	return err
}

// writeJSON writes an answer that is JSON already.
func writeJSON(w http.ResponseWriter, status int, body []byte) error {
	body = append(body, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}
