// Package runtime is what the generated client needs to write parameters and to read
// headers. It has the names of github.com/oapi-codegen/runtime and stands in for it: that
// module brings the web frameworks it has middleware for into the module graph of its users.
//
// A parameter of another type than [Scalar] has does not compile, rather than being sent
// in another way than the contract says.
package runtime

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/google/uuid"
)

// A Scalar is a type of the contract's parameters.
type Scalar interface {
	~string | ~bool | ~int32 | ~int64 | uuid.UUID
}

// A ParamLocation is where in a request or an answer a parameter is.
type ParamLocation int

// The locations of parameters.
const (
	ParamLocationPath ParamLocation = iota
	ParamLocationQuery
	ParamLocationHeader
)

// StyleParamOptions say how a parameter is written.
type StyleParamOptions struct {
	ParamLocation ParamLocation
	Type, Format  string // the contract's; those of Go say enough
}

// StyleParamWithOptions writes a parameter as its place in a request wants it. For a
// scalar the style and exploding it make no difference.
func StyleParamWithOptions[T Scalar](_ string, _ bool, name string, value T, o StyleParamOptions) (string, error) {
	text := fmt.Sprint(value)
	switch o.ParamLocation {
	case ParamLocationQuery:
		return url.QueryEscape(name) + "=" + url.QueryEscape(text), nil
	case ParamLocationPath:
		return url.PathEscape(text), nil
	}
	return text, nil
}

// BindStyledParameterOptions say how a header is read.
type BindStyledParameterOptions struct {
	ParamLocation     ParamLocation
	Explode, Required bool
	Type, Format      string
}

// BindStyledParameterWithOptions reads a header.
func BindStyledParameterWithOptions[T string | int32](_, name, value string, dest *T, o BindStyledParameterOptions) error {
	if value == "" && o.Required {
		return fmt.Errorf("the header %s is empty", name)
	}
	switch dest := any(dest).(type) {
	case *string:
		*dest = value
	case *int32:
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			return fmt.Errorf("the header %s is not a number of 32 bits", name)
		}
		*dest = int32(n)
	}
	return nil
}
