package contracttest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
)

// An Operation is an operation of the contract, with all that requests of it are made from.
type Operation struct {
	ID, Method, Path string
	Parameters       []*openapi3.Parameter
	Body             *openapi3.RequestBody // nil: there is none
	// Lines is what each line of the body is, if that is a stream of lines.
	Lines *openapi3.Schema
	// Scheme names the security scheme of the operation, "" if there is none, and
	// Anonymous says whether it may be called without a credential.
	Scheme    string
	Anonymous bool
	// Spec is the operation as the contract has it.
	Spec *openapi3.Operation
}

// String returns the operationId.
func (o Operation) String() string { return o.ID }

// Documents reports whether the contract has that status among its answers.
func (o Operation) Documents(status int) bool {
	return o.Spec.Responses.Value(strconv.Itoa(status)) != nil
}

// Operations lists all operations of the contract, by operationId.
func (c *Contract) Operations() ([]Operation, error) {
	var all []Operation
	for path, item := range c.asked.Paths.Map() {
		for method, spec := range item.Operations() {
			o := Operation{ID: spec.OperationID, Method: method, Path: path, Spec: spec}
			for _, refs := range []openapi3.Parameters{item.Parameters, spec.Parameters} {
				for _, ref := range refs {
					o.Parameters = append(o.Parameters, ref.Value)
				}
			}
			if spec.RequestBody != nil {
				o.Body = spec.RequestBody.Value
			}
			if err := o.readLines(c.asked); err != nil {
				return nil, err
			}
			if err := o.secure(c.asked.Security); err != nil {
				return nil, err
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b Operation) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// secure works out Scheme and Anonymous.
func (o *Operation) secure(all openapi3.SecurityRequirements) error {
	if o.Spec.Security != nil {
		all = *o.Spec.Security
	}
	o.Anonymous = len(all) == 0
	for _, requirement := range all {
		if len(requirement) == 0 {
			o.Anonymous = true
		}
		for scheme := range requirement {
			if o.Scheme != "" && o.Scheme != scheme {
				return fmt.Errorf("%s takes several security schemes: teach contracttest.Operation to hold more than one", o.ID)
			}
			o.Scheme = scheme
		}
	}
	return nil
}

// readLines works out Lines.
func (o *Operation) readLines(doc *openapi3.T) (err error) {
	if o.Body != nil && o.Body.Content[linesType] != nil {
		o.Lines, err = lineSchema(doc, o.Body.Content[linesType])
	}
	return err
}
