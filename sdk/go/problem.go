package orgd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	maxProblem = 512 << 10 // bytes read of an answer that is an error
	maxDetail  = 2048      // bytes, the contract's bound
	maxExcerpt = 200       // bytes kept of an answer that is not orgd's
	maxFields  = 100       // the contract's bound
)

// failed reports whether an answer is an error: also a redirect, and a page for
// people, which is what a proxy's login looks like.
func failed(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return resp.StatusCode >= 400 || mediaType(resp) == "text/html"
}

// problemOf reads the answer to req, and closes it.
func problemOf(resp *http.Response, req *http.Request, path string) *Error {
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblem)) // what there is of it will do
	censor := censorOf(req)
	text := func(s string, limit int) string { return clip(censor(s), limit) }
	e := &Error{Method: req.Method, Path: path, Status: resp.StatusCode,
		RequestID: text(resp.Header.Get("X-Request-Id"), maxExcerpt), RetryAfter: retryAfter(resp.Header)}
	var p problem
	switch {
	case strings.Contains(mediaType(resp), "json") && json.Unmarshal(body, &p) == nil && p.Code != "":
		e.fill(p, text)
	case resp.StatusCode < 400 && resp.StatusCode >= 300:
		e.Detail = text("redirects are not followed"+target(resp), 2*maxExcerpt)
	default:
		e.Detail = "not an answer of orgd" + excerpt(mediaType(resp), censor(string(body)))
	}
	return e
}

// problem is the contract's Problem, read with leniency.
type problem struct {
	Code        string `json:"code"`
	Detail      string `json:"detail"`
	RequestID   string `json:"request_id"`
	OperationID string `json:"operation_id"`
	Errors      []struct {
		Pointer   string `json:"pointer"`
		Parameter string `json:"parameter"`
		Detail    string `json:"detail"`
	} `json:"errors"`
}

func (e *Error) fill(p problem, text func(s string, limit int) string) {
	e.Code, e.Detail, e.OperationID = Code(text(p.Code, maxExcerpt)), text(p.Detail, maxDetail), text(p.OperationID, maxExcerpt)
	if p.RequestID != "" {
		e.RequestID = text(p.RequestID, maxExcerpt)
	}
	for _, f := range p.Errors[:min(len(p.Errors), maxFields)] {
		e.Fields = append(e.Fields, FieldError{text(f.Pointer, maxDetail), text(f.Parameter, maxDetail), text(f.Detail, maxDetail)})
	}
}

// retryAfter reads Retry-After, in seconds or as a date.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// target says where a redirect leads, without query or credentials.
func target(resp *http.Response) string {
	to, err := resp.Location()
	if err != nil {
		return ""
	}
	to = &url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}
	return fmt.Sprintf("; this one leads to %q", to)
}

var title = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// excerpt says what an answer of somebody else is.
func excerpt(mediaType, body string) string {
	switch {
	case mediaType == "":
		return ""
	case mediaType == "text/html":
		if m := title.FindStringSubmatch(body); m != nil {
			body = m[1]
		} else {
			body = ""
		}
	case !strings.HasPrefix(mediaType, "text/"):
		body = ""
	}
	if body = clip(body, maxExcerpt); body != "" {
		body = ": " + body
	}
	return " (" + mediaType + ")" + body
}

// clip makes text fit for one line of a log.
func clip(text string, limit int) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}

// censorOf returns what cuts a request's secrets, its token and the passwords in
// its body, out of an answer.
func censorOf(req *http.Request) func(string) string {
	_, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	secrets := append(passwords(req), token)
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // one may begin another
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

// passwords returns the members of the request's body that are called so.
func passwords(req *http.Request) (found []string) {
	if _, streams := req.Body.(*streamBody); streams { // to look at it is to use it up
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
	if json.NewDecoder(io.LimitReader(body, maxProblem)).Decode(&members) != nil {
		return nil
	}
	for name, value := range members {
		if text, ok := value.(string); ok && strings.Contains(strings.ToLower(name), "password") {
			found = append(found, text)
		}
	}
	return found
}

func mediaType(resp *http.Response) string {
	t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return ""
	}
	return clip(t, maxExcerpt)
}
