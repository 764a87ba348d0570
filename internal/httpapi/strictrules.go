package httpapi

import "github.com/orgd/orgd/internal/httpapi/problem"

// strictJSON says what is wrong with a body that a schema is for, or nil. The properties are
// Extended JSON.
func strictJSON(body []byte, properties []string) *problem.Field {
	return checkJSON(body, requestJSON.withExtended(properties))
}

// extended scans a value that has rules of its own.
func (s *jsonScanner) extended() *fieldError {
	rules, depth := s.rules, s.depth
	s.rules, s.depth = jsonRules{maxDepth: rules.maxDepth, at: pointer(s.path...)}, 0
	err := s.value()
	s.rules, s.depth = rules, depth
	return err
}

type fieldError = problem.Field

const maxPointer = problem.MaxPointer

func pointer(path ...string) string { return problem.Pointer(path...) }

// withExtended is the rules for a body with such properties.
func (r jsonRules) withExtended(names []string) jsonRules {
	r.extended = names
	return r
}
