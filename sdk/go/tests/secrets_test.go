package orgd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	orgd "github.com/orgd/orgd/sdk/go"
)

const (
	plantedPassword = `planted "pass" <word>`
	plantedNew      = "planted-new-password"
	plantedToken    = "planted.token.x"
	plantedKey      = "planted-key"
)

// shows returns all the ways in which a program may print a value.
func shows(v any) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%v\n%+v\n%#v\n%s\n%q\n", v, v, v, v, v)
	asJSON, _ := json.Marshal(v)
	b.Write(asJSON)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	if err, ok := v.(error); ok {
		for ; err != nil; err = errors.Unwrap(err) {
			fmt.Fprintf(&b, "%#v\n", err)
		}
	}
	return b.String()
}

func hasPlanted(text string) bool {
	return strings.Contains(text, "planted") || strings.Contains(text, `<word>`)
}

// echo answers with all that it was sent.
func echo(status int, contentType string) func(int, *http.Request) (*http.Response, error) {
	return func(_ int, req *http.Request) (*http.Response, error) {
		body, _ := req.GetBody()
		sent, _ := io.ReadAll(body)
		var members map[string]string
		_ = json.Unmarshal(sent, &members)
		all := fmt.Sprintf("%s %s %s %v", req.URL.Path, req.Header, sent, members)
		if !strings.Contains(contentType, "json") {
			return reply(status, "<title>"+all+"</title>", "Content-Type", contentType)
		}
		problem, _ := json.Marshal(map[string]any{"code": "invalid", "detail": all, "request_id": req.Header.Get("Authorization"),
			"errors": []map[string]string{{"pointer": "#/password", "detail": all}, {"parameter": all, "detail": members["password"]}}})
		return reply(status, string(problem), "X-Request-Id", req.Header.Get("Authorization"))
	}
}

// TestSecretsAreNotInErrors, also when the other side repeats them.
func TestSecretsAreNotInErrors(t *testing.T) {
	answers := map[string]func(int, *http.Request) (*http.Response, error){
		"problem":          echo(422, "application/problem+json"),
		"page":             echo(502, "text/html"),
		"text":             echo(400, "text/plain"),
		"dead token":       always(code(401, orgd.ErrUnauthenticated)),
		"broken":           always(reset),
		"no connection":    always(broken(&net.OpError{Op: "dial", Err: errors.New("x")})),
		"not JSON":         always(func() (*http.Response, error) { return reply(200, "{planted", "Content-Type", "text/csv") }),
		"another redirect": always(func() (*http.Response, error) { return reply(307, "", "Location", "http://u:planted@x.test/?planted") }),
	}
	for what, answer := range answers {
		synctest.Test(t, func(t *testing.T) {
			for _, logins := range []func(int, *http.Request) (*http.Response, error){nil, answer} {
				f := &fake{answer: answer, login: logins}
				c := f.client(t, orgd.WithLogin("admin@acme.example", plantedPassword), orgd.WithToken(plantedToken), orgd.WithOperatorKey(plantedKey))
				_, e1 := c.Login(t.Context(), email, plantedPassword)
				_, e2 := c.CreateOrganization(t.Context(), orgd.NewOrganization{Name: "Acme", Email: email, Password: plantedPassword})
				_, e3 := c.UpdateOrganization(t.Context(), orgd.Update{Password: plantedNew})
				for i, err := range []error{e1, e2, e3} {
					if err == nil && i > 0 {
						t.Errorf("%s: call %d succeeds", what, i)
					}
					if err != nil && hasPlanted(shows(err)) {
						t.Errorf("%s: %s", what, shows(err))
					}
				}
			}
		})
	}
}

func TestSecretsAreNotInWhatIsPrinted(t *testing.T) {
	f := &fake{answer: always(done)}
	c := f.client(t, orgd.WithLogin("admin@acme.example", plantedPassword), orgd.WithToken(plantedToken), orgd.WithOperatorKey(plantedKey))
	if err := update(t, c); err != nil {
		t.Fatal(err)
	}
	for what, v := range map[string]any{
		"client": c, "client's value": *c, "option": orgd.WithLogin(email, plantedPassword),
	} {
		if text := shows(v); hasPlanted(text) {
			t.Errorf("%s: %s", what, text)
		}
	}
	for what, v := range map[string]any{
		"new organization": orgd.NewOrganization{Name: "Acme", Email: email, Password: plantedPassword},
		"its address":      &orgd.NewOrganization{Password: plantedPassword}, "update": orgd.Update{Password: plantedNew},
	} {
		if text := fmt.Sprintf("%v %+v %#v %s", v, v, v, v); hasPlanted(text) {
			t.Errorf("%s: %s", what, text)
		}
	}
	if text := fmt.Sprint(c); text != "orgd.Client(http://orgd.test/)" {
		t.Error(text)
	}
}

// TestTheNameIsNotInAnError: what is asked for is in the query, and errors have
// no queries.
func TestTheQueryIsNotInErrors(t *testing.T) {
	f := &fake{answer: always(reset)}
	if _, err := f.client(t, orgd.WithRetries(0)).GetOrganization(t.Context(), "planted"); err == nil || hasPlanted(shows(err)) {
		t.Error(err)
	}
}
