package httpapi

import (
	"context"
	"errors"
	"strings"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/extjson"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/tenant"
)

// filterOf is a filter that came as a parameter.
func filterOf(parameter *string) *api.Filter {
	if parameter == nil {
		return nil
	}
	text := api.Filter(*parameter)
	return &text
}

// filterRoom is the memory that a filter takes while it is read, in bytes for each byte of text.
const filterRoom = 24

// takeFilter reads a filter, if there is one, while there is memory for it.
func takeFilter(ctx context.Context, text *api.Filter) (tenant.Filter, error) {
	if text == nil {
		return tenant.Filter{}, nil
	}
	if err := request.Of(ctx).Memory.Take(filterRoom * len(*text)); err != nil {
		return tenant.Filter{}, err
	}
	return readFilter(*text)
}

func readFilter(text []byte) (tenant.Filter, error) {
	raw, err := extjson.Parse(text, extjson.Filters)
	var wrong *extjson.Error
	if errors.As(err, &wrong) {
		return tenant.Filter{}, problem.Input("filter", strings.TrimPrefix(wrong.Error(), "extjson: "))
	}
	if err != nil {
		return tenant.Filter{}, err
	}
	f, err := tenant.ParseFilter(raw)
	var refused *tenant.FilterError
	if errors.As(err, &refused) {
		return f, problem.Input("filter", strings.TrimPrefix(refused.Error(), "docdb: filter: "))
	}
	return f, err
}
