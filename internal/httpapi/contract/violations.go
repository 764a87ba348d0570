package contract

import (
	"errors"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/orgd/orgd/internal/httpapi/problem"
)

// violations lists what openapi3filter found wrong, in short words and without
// the value: printed with %v its errors hold both the schema and the value, so
// that a refused password would land in the answer.
func violations(err error) []problem.Field {
	switch e := err.(type) {
	case nil:
		return nil
	case openapi3.MultiError:
		var all []problem.Field
		for _, one := range e {
			all = append(all, violations(one)...)
		}
		return all
	case *openapi3filter.RequestError:
		return requestViolations(e)
	case *openapi3.SchemaError:
		return []problem.Field{schemaViolation(e)}
	}
	return []problem.Field{{Detail: "does not fit the contract"}}
}

func requestViolations(e *openapi3filter.RequestError) []problem.Field {
	var all []problem.Field
	switch {
	case errors.Is(e.Err, openapi3filter.ErrInvalidRequired):
		all = []problem.Field{{Pointer: "#", Detail: "is required"}}
	default:
		all = violations(e.Err)
	}
	if e.Parameter == nil {
		return all
	}
	for i := range all {
		all[i].Pointer, all[i].Parameter = "", e.Parameter.Name
	}
	return all
}

func schemaViolation(e *openapi3.SchemaError) problem.Field {
	path := e.JSONPointer()
	if name, ok := unknownProperty(e); ok {
		path = append(path, name)
		return problem.Field{Pointer: problem.Pointer(path...), Detail: "there is no such property"}
	}
	return problem.Field{Pointer: problem.Pointer(path...), Detail: problem.Clip(detailOf(e), 1024)}
}

// unknownProperty returns the name, which openapi3 gives only in its sentence.
func unknownProperty(e *openapi3.SchemaError) (string, bool) {
	quoted, ok := strings.CutPrefix(e.Reason, "property ")
	if !ok || e.SchemaField != "properties" {
		return "", false
	}
	name, err := strconv.Unquote(strings.TrimSuffix(quoted, " is unsupported"))
	return name, err == nil
}

// detailOf says in words what the schema wants. It draws on the schema alone.
func detailOf(e *openapi3.SchemaError) string {
	s := e.Schema
	switch e.SchemaField {
	case "type":
		return "must be of type " + strings.Join(s.Type.Slice(), " or ")
	case "nullable":
		return "must not be null"
	case "minLength":
		if s.MinLength == 1 {
			return "must not be empty"
		}
		return "must have at least " + strconv.FormatUint(s.MinLength, 10) + " characters"
	case "maxLength":
		return "must have at most " + strconv.FormatUint(*s.MaxLength, 10) + " characters" + longer(s)
	case "pattern":
		// The pattern itself is for machines; the description says the same.
		if d := strings.Join(strings.Fields(s.Description), " "); d != "" {
			return "does not fit: " + d
		}
		return "does not have the form required"
	case "format":
		return "is not of the format " + s.Format
	case "":
		return "does not fit the contract"
	}
	return e.Reason
}

// longer says where there is room for more.
func longer(s *openapi3.Schema) string {
	if operation, ok := s.Extensions["x-longer"].(string); ok {
		return "; for a longer one there is " + operation
	}
	return ""
}
