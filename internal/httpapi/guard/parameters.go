package guard

import (
	"net/url"

	"github.com/labstack/echo/v4"
)

// queryOf are the parameters of the query, parsed once for all that ask, without the parts that
// are not well-formed.
func queryOf(ec echo.Context) url.Values {
	if ec.Request().URL.RawQuery == "" {
		return url.Values{}
	}
	return ec.QueryParams()
}

// pathParams are echo's path parameters, by name. Where the path has escapes that its plain form
// could not do without, echo leaves all of them in place.
func pathParams(ec echo.Context) map[string]string {
	names := ec.ParamNames()
	if len(names) == 0 {
		return nil
	}
	params := make(map[string]string, len(names))
	for _, name := range names {
		params[name] = ec.Param(name)
		if plain, err := url.PathUnescape(params[name]); err == nil && ec.Request().URL.RawPath != "" {
			params[name] = plain
		}
	}
	return params
}
