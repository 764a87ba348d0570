package problem

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/orgd/orgd/sdk/go/internal/upload"
)

// censorOf returns a function that cuts a request's secrets, its token and the passwords
// in its body, out of an answer's text.
func censorOf(req *http.Request) func(string) string {
	_, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	secrets := append(passwords(req), token)
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // one may be the beginning of another
	var pairs []string
	for _, s := range secrets {
		if len(s) < 4 { // it would cut up every text
			continue
		}
		quoted, _ := json.Marshal(s)
		pairs = append(pairs, s, "[secret]", strings.Trim(string(quoted), `"`), "[secret]")
	}
	return strings.NewReplacer(pairs...).Replace
}

// passwords returns the members of the request's body that have "password" in their names.
func passwords(req *http.Request) (found []string) {
	if _, streams := req.Body.(*upload.Body); streams { // reading it would use it up
		return nil
	}
	if req.GetBody == nil || !strings.Contains(req.Header.Get("Content-Type"), "json") {
		return nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil
	}
	defer func() { _ = body.Close() }()
	var members map[string]any
	if json.NewDecoder(io.LimitReader(body, maxBody)).Decode(&members) != nil {
		return nil
	}
	for name, value := range members {
		if text, ok := value.(string); ok && strings.Contains(strings.ToLower(name), "password") {
			found = append(found, text)
		}
	}
	return found
}
