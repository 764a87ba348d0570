package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// allows are what Allow names for paths that are a template's, too, as
// /org/documents/query is one of /org/documents/{id}: the router knows only the methods of
// the path itself.
func (ct contract) allows() map[string]string {
	all := map[string]string{}
	for _, op := range ct {
		path := op.Path
		if strings.Contains(path, "{") || all[path] != "" {
			continue
		}
		methods, shared := []string{http.MethodOptions}, false
		for _, other := range ct {
			if !covers(other.Path, path) {
				continue
			}
			shared = shared || other.Path != path
			methods = append(methods, other.Method)
			if other.Method == http.MethodGet {
				methods = append(methods, http.MethodHead)
			}
		}
		if slices.Sort(methods); shared {
			all[path] = strings.Join(slices.Compact(methods), ", ")
		}
	}
	return all
}

// covers reports whether a path is one of a template.
func covers(template, path string) bool {
	parts, segments := strings.Split(template, "/"), strings.Split(path, "/")
	return slices.EqualFunc(parts, segments, func(part, segment string) bool {
		return part == segment || strings.HasPrefix(part, "{")
	})
}

// nameAll has Allow name all methods of the path, where an answer has it.
func (a *API) nameAll(ec echo.Context) {
	allow, ok := a.allows[ec.Request().URL.Path]
	if !ok {
		return
	}
	ec.Response().Before(func() {
		if h := ec.Response().Header(); h.Get("Allow") != "" {
			h.Set("Allow", allow)
		}
	})
}
