package webui

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd"
)

var wanted = []string{
	"/docs", "/docs/", "/docs/LICENSE", "/docs/NOTICE", "/docs/favicon-32x32.png", "/docs/init.js", "/docs/swagger-ui-bundle.js",
	"/docs/swagger-ui-bundle.js.LICENSE.txt", "/docs/swagger-ui.css", "/openapi.json", "/openapi.yaml",
}

func testPages(t *testing.T) map[string]http.Handler {
	t.Helper()
	pages, err := Pages(orgd.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

func get(t *testing.T, h http.Handler, method string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	resp := w.Result()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

func TestPages(t *testing.T) {
	pages := testPages(t)
	var got []string
	for path := range pages {
		got = append(got, path)
	}
	slices.Sort(got)
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Fatal(diff)
	}
	begin := map[string]string{
		"/docs": "<!doctype html>", "/docs/init.js": "// Starts", "/docs/swagger-ui-bundle.js": "/*! For license information", "/docs/swagger-ui.css": ".swagger-ui",
		"/docs/favicon-32x32.png": "\x89PNG", "/openapi.yaml": "openapi: 3.0.3", "/openapi.json": `{"components"`,
		"/docs/LICENSE": "\n                                 Apache License", "/docs/NOTICE": "swagger-ui", "/docs/swagger-ui-bundle.js.LICENSE.txt": "/*",
	}
	types := map[string]string{
		"/docs": "text/html; charset=utf-8", "/docs/init.js": "text/javascript; charset=utf-8", "/docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
		"/docs/swagger-ui.css": "text/css; charset=utf-8", "/docs/favicon-32x32.png": "image/png", "/openapi.yaml": "application/yaml", "/openapi.json": "application/json",
	}
	for _, path := range wanted {
		if path == "/docs/" {
			continue
		}
		t.Run(path, func(t *testing.T) {
			resp, body := get(t, pages[path], "GET")
			if resp.StatusCode != 200 || !strings.HasPrefix(string(body), begin[path]) {
				t.Errorf("%d %.60q", resp.StatusCode, body)
			}
			want := types[path]
			if want == "" {
				want = "text/plain; charset=utf-8"
			}
			for name, want := range map[string]string{
				"Content-Type": want, "Content-Encoding": "", "Cache-Control": "no-cache", "Vary": "Accept-Encoding", "Content-Security-Policy": policy,
			} {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			sameCompressed(t, pages[path], body)
			notModified(t, pages[path])
			headOnly(t, pages[path])
		})
	}
}

func sameCompressed(t *testing.T, h http.Handler, want []byte) {
	t.Helper()
	resp, body := get(t, h, "GET", "Accept-Encoding", "br;q=1.0, GZIP;q=0.8")
	if resp.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("encoding is %q", resp.Header.Get("Content-Encoding"))
	}
	z, err := gzip.NewReader(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err != nil || string(got) != string(want) {
		t.Errorf("compressed differs from plain: %d bytes and %d, %v", len(got), len(want), err)
	}
}

func notModified(t *testing.T, h http.Handler) {
	t.Helper()
	tags := map[string]string{}
	for _, encoding := range []string{"", "gzip"} {
		resp, _ := get(t, h, "GET", "Accept-Encoding", encoding)
		tag := resp.Header.Get("Etag")
		tags[encoding] = tag
		for _, given := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			resp, body := get(t, h, "GET", "Accept-Encoding", encoding, "If-None-Match", given)
			if resp.StatusCode != 304 || len(body) != 0 || resp.Header.Get("Etag") != tag || resp.Header.Get("Content-Encoding") != "" {
				t.Errorf("If-None-Match %s: %d, %d bytes, ETag %s", given, resp.StatusCode, len(body), resp.Header.Get("Etag"))
			}
		}
		if resp, _ := get(t, h, "GET", "Accept-Encoding", encoding, "If-None-Match", `"other"`); resp.StatusCode != 200 {
			t.Errorf("another tag: %d", resp.StatusCode)
		}
	}
	if tags[""] == tags["gzip"] || len(tags[""]) < 10 {
		t.Errorf("tags are %q", tags)
	}
}

func headOnly(t *testing.T, h http.Handler) {
	t.Helper()
	whole, want := get(t, h, "GET")
	head, body := get(t, h, "HEAD")
	if len(body) != 0 || head.ContentLength != int64(len(want)) || head.Header.Get("Etag") != whole.Header.Get("Etag") {
		t.Errorf("HEAD: %d bytes, length %d of %d", len(body), head.ContentLength, len(want))
	}
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "deflate, gzip, br": true, "GZip": true, "*": true, "identity": false, "gzip;q=0": false, "gzip; q=0.000": false,
		"gzip;q=0.1": true, "*;q=0": false, "*, gzip;q=0": false, "gzip;q=0, *": false, "*;q=0, gzip": true, "gzipped": false, "x-gzip": false, "gzip;Q=0": false,
	} {
		if got := acceptsGzip([]string{header}); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
	if !acceptsGzip([]string{"br", "gzip"}) {
		t.Error("a second header is not read")
	}
}

func TestTheSlashIsForgiven(t *testing.T) {
	resp, _ := get(t, testPages(t)["/docs/"], "GET")
	if resp.StatusCode != 308 || resp.Header.Get("Location") != "../docs" {
		t.Errorf("%d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

func TestJSONSaysWhatYAMLSays(t *testing.T) {
	pages := testPages(t)
	var docs []*openapi3.T
	for _, path := range []string{"/openapi.yaml", "/openapi.json"} {
		_, body := get(t, pages[path], "GET")
		doc, err := openapi3.NewLoader().LoadFromData(body)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, doc)
	}
	yaml, _ := docs[0].MarshalJSON()
	json, _ := docs[1].MarshalJSON()
	if diff := cmp.Diff(string(yaml), string(json)); diff != "" {
		t.Error(diff)
	}
}

// TestThePageNeedsNothingThatThePolicyForbids reads the page as the policy does:
// all of its parts come from files of its own, and the files are there.
func TestThePageNeedsNothingThatThePolicyForbids(t *testing.T) {
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "http") {
		t.Errorf("the policy is %q", policy)
	}
	pages := testPages(t)
	_, page := get(t, pages["/docs"], "GET")
	for _, pattern := range []string{`(?i)<script[^>]*>[^<]+</script>`, `(?i)<style`, `(?i)\sstyle=`, `(?i)\son[a-z]+=`, `(?i)(src|href)="(https?:)?//`, `(?i)<script(\s+defer)?>`} {
		if found := regexp.MustCompile(pattern).Find(page); found != nil {
			t.Errorf("the page has %s", found)
		}
	}
	references := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllSubmatch(page, -1)
	if len(references) != 5 {
		t.Errorf("the page has %d references", len(references))
	}
	for _, r := range references {
		if pages["/"+string(r[1])] == nil {
			t.Errorf("the page refers to %s, which is not served", r[1])
		}
	}
	if !regexp.MustCompile(`persistAuthorization: false,`).Match(mustRead(t, "init.js")) {
		t.Error("init.js keeps tokens")
	}
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	data, err := files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAContractThatIsNoYAML(t *testing.T) {
	if _, err := Pages("a: b: c"); err == nil {
		t.Error("is taken")
	}
}
