package httpapi

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/labstack/echo/v4"
	"github.com/orgd/orgd/internal/httpapi/problem"
)

// setApart takes the properties that are Extended JSON out of a body, which is known to be
// JSON. Of them a schema says only that they are objects, so openapi3filter gets empty ones:
// what it would make of the others has lost the order of names, and digits.
func setApart(op *operation, ec echo.Context, body []byte) {
	var all map[string]json.RawMessage
	if len(op.extended) == 0 || json.Unmarshal(body, &all) != nil { // which is not even an object
		return
	}
	c := callOf(ec)
	c.extended = map[string]json.RawMessage{}
	for _, name := range op.extended {
		if text := all[name]; len(text) > 0 && text[0] == '{' {
			c.extended[name], all[name] = text, json.RawMessage("{}")
		}
	}
	rest, err := json.Marshal(all)
	if err != nil {
		panic(err) // it was JSON
	}
	ec.Request().Body = io.NopCloser(bytes.NewReader(rest))
	c.memory.Give(max((jsonRoom-extendedRoom)*(len(body)-len(rest)), 0))
}

// putBack puts what was set apart where it was.
func putBack(value any, apart map[string]json.RawMessage) any {
	if object, ok := value.(map[string]any); ok {
		for name, text := range apart {
			object[name] = text
		}
	}
	return value
}

// withExtended is the rules for a body with such properties.
func (r jsonRules) withExtended(names []string) jsonRules {
	r.extended = names
	return r
}

// extended scans a value that has rules of its own.
func (s *jsonScanner) extended() *problem.Field {
	rules, depth := s.rules, s.depth
	s.rules, s.depth = jsonRules{maxDepth: rules.maxDepth, at: problem.Pointer(s.path...)}, 0
	err := s.value()
	s.rules, s.depth = rules, depth
	return err
}
