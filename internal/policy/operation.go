package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// An Operation is an operation of the contract, with its policy.
type Operation struct {
	Policy
	ID, Method, Path string
	Credential       Credential
	Spec             *openapi3.Operation
	Item             *openapi3.PathItem
}

// Parse reads and validates a contract, which compiles the patterns of its schemas as
// well, and returns its operations by path and method.
func Parse(yaml string) (*openapi3.T, []Operation, error) {
	doc, err := openapi3.NewLoader().LoadFromData([]byte(yaml))
	if err != nil {
		return nil, nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, nil, err
	}
	all, err := Operations(doc)
	return doc, all, err
}

// Operations returns all operations of a contract by path and method. The error names
// every operation whose policy is refused.
func Operations(doc *openapi3.T) ([]Operation, error) {
	var all []Operation
	var wrong []error
	for path, item := range doc.Paths.Map() {
		for method, spec := range item.Operations() {
			o := Operation{ID: spec.OperationID, Method: method, Path: path, Spec: spec, Item: item}
			if err := o.read(doc.Security); err != nil {
				wrong = append(wrong, fmt.Errorf("%s %s: %w", method, path, err))
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b Operation) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method)) })
	slices.SortFunc(wrong, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return all, errors.Join(wrong...)
}

// Parameters are those of the operation and those of its path.
func (o *Operation) Parameters() openapi3.Parameters {
	return slices.Concat(o.Item.Parameters, o.Spec.Parameters)
}

func (o *Operation) read(usual openapi3.SecurityRequirements) (err error) {
	security := usual
	if o.Spec.Security != nil {
		security = *o.Spec.Security
	}
	if o.Credential, err = credentialOf(security); err != nil {
		return err
	}
	given, ok := o.Spec.Extensions[extension].(map[string]any)
	if !ok {
		return errors.New("it has no x-policy: add one, with the fields that the head of openapi.yaml lists")
	}
	if err := checkNames(given); err != nil {
		return err
	}
	text, err := json.Marshal(given)
	if err == nil {
		err = json.Unmarshal(text, &o.Policy)
	}
	if err != nil {
		return fmt.Errorf("read x-policy: %w", err)
	}
	return o.check()
}

const extension = "x-policy"

// required are the fields that every policy has, optional those that a few have.
var (
	required = []string{"plane", "scope", "states", "safe", "idempotent", "repeatable", "limiter", "streams"}
	optional = []string{"probe", "joint"}
)

func checkNames(given map[string]any) error {
	for _, name := range required {
		if given[name] == nil {
			return fmt.Errorf("x-policy has no %s", name)
		}
	}
	for name := range given {
		if !slices.Contains(required, name) && !slices.Contains(optional, name) {
			return fmt.Errorf("x-policy knows no %s", name)
		}
	}
	return nil
}
