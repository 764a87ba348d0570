package frame

import "github.com/labstack/echo/v4"

// apiPolicy is the Content-Security-Policy of answers that are data and never a page.
const apiPolicy = "default-src 'none'; frame-ancestors 'none'"

// headersOfAll are on every answer. The values are shared between answers: to
// append to a slice of full capacity copies it.
var headersOfAll = []struct {
	name  string // in canonical form
	value []string
}{
	{"X-Content-Type-Options", []string{"nosniff"}},
	{"X-Frame-Options", []string{"DENY"}},
	{"Referrer-Policy", []string{"no-referrer"}},
	{"Cross-Origin-Resource-Policy", []string{"same-origin"}},
	{"Content-Security-Policy", []string{apiPolicy}},
	{"Cache-Control", []string{"no-store"}},
}

// setSecurityHeaders sets headers that a page may then relax for itself. Strict transport is for
// the server that terminates TLS to ask for, which is seldom this process.
func setSecurityHeaders(ec echo.Context) {
	h := ec.Response().Header()
	for _, header := range headersOfAll {
		h[header.name] = header.value
	}
	if ec.Request().TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}
