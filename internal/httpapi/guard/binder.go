package guard

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/oapi-codegen/runtime"
)

// Binder gives a handler the value that was validated, with its names matched exactly, and
// nothing else: a value that was not validated is not bound.
type Binder struct{}

// Bind implements echo.Binder.
func (Binder) Bind(v any, ec echo.Context) error {
	s := stateOf(ec)
	if s.Endpoint != nil && s.Endpoint.Document {
		*v.(*json.RawMessage) = s.Document // as the contract says by x-go-type
		return nil
	}
	validated, ok := ec.Request().Body.(interface{ ValidatedValue() any })
	if !ok && ec.Request().ContentLength == 0 {
		return nil // no body came, which the guard lets pass where it is optional
	}
	if !ok {
		return fmt.Errorf("bind the body of %s: it was not validated", ec.Path())
	}
	value := putBack(plainIntegers(validated.ValidatedValue()), s.Extended)
	if err := runtime.BindJSONValue(value, v); err != nil {
		return fmt.Errorf("bind the body of %s: %w", ec.Path(), err)
	}
	return nil
}

// plainIntegers returns a validated value with its integers as Go's types read them: to JSON
// Schema 1e3 and 1.0 are integers, too.
func plainIntegers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil && float64(int64(f)) == f && strings.ContainsAny(v.String(), ".eE") {
			return int64(f)
		}
	case []any:
		for i := range v {
			v[i] = plainIntegers(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plainIntegers(v[name])
		}
	}
	return v
}

// putBack puts the properties that were set apart where they were.
func putBack(value any, properties map[string]json.RawMessage) any {
	if object, ok := value.(map[string]any); ok {
		for name, text := range properties {
			object[name] = text
		}
	}
	return value
}
