package contract

import (
	"net/http"
	"slices"
	"strings"
)

// Allows are the values of Allow for the paths that are a template's, too, as
// /org/documents/query is one of /org/documents/{id}: the router knows only the methods of
// the path itself.
func (ct Contract) Allows() map[string]string {
	all := map[string]string{}
	for _, e := range ct {
		path := e.Path
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
