package wire

import "net/http"

// OpenStream has the answer to a stream sent as it is written, which by default waits
// for the stream's first 256 KiB. The connection ends with the answer: net/http can
// go wrong over the rest of a stream that its handler left (it reads it, after it
// has stopped reading, and panics or takes it for the next request).
func OpenStream(w http.ResponseWriter) {
	_ = ControllerOf(w).EnableFullDuplex() // where there is none, the answer waits
	w.Header().Set("Connection", "close")
}

// ControllerOf is the control of a connection without echo's layer, which keeps
// errors of flushing to itself.
func ControllerOf(w http.ResponseWriter) *http.ResponseController {
	if inner, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		w = inner.Unwrap()
	}
	return http.NewResponseController(w)
}
