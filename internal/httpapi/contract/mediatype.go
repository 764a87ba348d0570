package contract

import (
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/orgd/orgd/internal/httpapi/problem"
)

// CheckMediaType refuses a body of another media type than the endpoint takes. It writes the
// type as the contract spells it into the headers.
func (e *Endpoint) CheckMediaType(h http.Header) error {
	mediaType, wrong := e.mediaType(h)
	if wrong != "" {
		return &problem.Refusal{Kind: problem.UnsupportedMediaType, Detail: wrong}
	}
	h["Content-Type"] = []string{mediaType}
	return nil
}

// mediaType returns the endpoint's media type that the headers name, or what to send instead.
func (e *Endpoint) mediaType(h http.Header) (mediaType, wrong string) {
	wanted := "Send Content-Type: " + strings.Join(slices.Sorted(maps.Keys(e.Body.Content)), " or ") + "."
	if encoding := h.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return "", "Send the body without Content-Encoding."
	}
	given := h["Content-Type"]
	if len(given) != 1 {
		return "", wanted
	}
	mediaType, params, err := mime.ParseMediaType(given[0])
	if err != nil || e.Body.Content[mediaType] == nil {
		return "", wanted
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return "", "Send the body in UTF-8."
	}
	return mediaType, ""
}
