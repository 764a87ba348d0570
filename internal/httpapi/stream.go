package httpapi

import (
	"context"
	"net/http"
)

// linesType is the media type of JSON values, one a line.
const linesType = "application/x-ndjson"

// streamChunk is how much of a stream is read, or written, at a time, in bytes.
const streamChunk = 64 << 10

// openStream has the answer to a stream sent as it is written, which by default waits
// for the stream's first 256 KiB. The connection ends with the answer: net/http can
// go wrong over the rest of a stream that its handler left (it reads it, after it
// has stopped reading, and panics or takes it for the next request).
func openStream(w http.ResponseWriter) {
	_ = controllerOf(w).EnableFullDuplex() // where there is none, the answer waits
	w.Header().Set("Connection", "close")
}

// checkStream looks at a stream without reading it: that is its handler's.
func checkStream(op *operation, h http.Header) error {
	mediaType, problem := bodyType(op, h)
	if problem != "" {
		return &requestError{kind: unsupportedMediaType, detail: problem}
	}
	h["Content-Type"] = []string{mediaType}
	return nil
}

// controllerOf is the control of a connection without echo's layer, which keeps
// errors of flushing to itself.
func controllerOf(w http.ResponseWriter) *http.ResponseController {
	if inner, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		w = inner.Unwrap()
	}
	return http.NewResponseController(w)
}

// cutOff ends an answer that cannot be brought to its end: its client is gone, or
// takes nothing of it.
func cutOff(ctx context.Context) {
	callFrom(ctx).left = true
	panic(http.ErrAbortHandler)
}
