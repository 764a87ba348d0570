// Package webui serves the contract: as YAML, as JSON, and as Swagger UI, the
// page on which every operation can be tried. Everything is embedded; the page
// loads nothing from elsewhere, and runs under a policy without any "unsafe-".
//
// swagger-ui/ is made by update.sh, which says how to change its version.
package webui

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/oasdiff/yaml"
)

//go:embed index.html init.js swagger-ui
var files embed.FS

// policy is the Content-Security-Policy of all that is served here. Swagger UI's
// style sheet has its icons as data: URLs.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Pages returns what to serve, by path, for GET and HEAD: /docs with its parts,
// /openapi.yaml and /openapi.json. The contract is an OpenAPI document in YAML.
//
// The pages refer to one another relatively, so that they also work behind a
// proxy that puts a prefix before every path.
func Pages(contract string) (map[string]http.Handler, error) {
	asJSON, err := yaml.YAMLToJSON([]byte(contract))
	if err != nil {
		return nil, fmt.Errorf("turn the contract into JSON: %w", err)
	}
	pages := map[string]http.Handler{
		"/openapi.yaml": newPage("application/yaml", []byte(contract)),
		"/openapi.json": newPage("application/json", asJSON),
		"/docs/":        http.HandlerFunc(toDocs),
	}
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		at, page, err := newFile(path.Base(name), data)
		pages[at] = page
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the embedded files: %w", err)
	}
	return pages, nil
}

// newFile makes a page of an embedded file and says where it belongs.
func newFile(name string, data []byte) (at string, p *page, err error) {
	if name == "index.html" {
		return "/docs", newPage("text/html; charset=utf-8", data), nil
	}
	if plain, ok := strings.CutSuffix(name, ".gz"); ok {
		p, err = newCompressedPage(contentType(plain), data)
		return "/docs/" + plain, p, err
	}
	return "/docs/" + name, newPage(contentType(name), data), nil
}

// contentType is fixed for the types there are: mime.TypeByExtension would also
// ask the machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".png":
		return "image/png"
	}
	return "text/plain; charset=utf-8"
}

// toDocs redirects /docs/ to /docs.
func toDocs(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Location", "../docs")
	w.WriteHeader(http.StatusPermanentRedirect)
}
