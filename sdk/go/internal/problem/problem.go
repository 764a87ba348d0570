// Package problem reads the answers that are not a success: the contract's problems, and
// what proxies send in their place. Nothing of an answer that could harm is kept: neither
// secrets of the request, nor control characters, nor more text than the contract allows.
package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/orgd/orgd/sdk/go/client"
)

const (
	maxBody    = 512 << 10 // bytes read of an answer
	maxDetail  = 2048      // bytes, the contract's bound
	maxExcerpt = 200       // bytes kept of an answer that is not orgd's
	maxFields  = 100       // the contract's bound
)

// A Problem is what an answer says went wrong.
type Problem struct {
	Status      int
	Code        client.ErrorCode // empty: the answer is not orgd's
	Detail      string
	Fields      []Field
	RequestID   string
	OperationID string
	RetryAfter  time.Duration // 0: the server does not say
}

// A Field is what is wrong with one input.
type Field struct{ Pointer, Parameter, Detail string }

// Is reports whether an answer is a problem: a status of 400 and more, a redirect, and a
// page for people, such as a proxy's login.
func Is(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return resp.StatusCode >= 400 || MediaType(resp) == "text/html"
}

// Read reads the answer to a request, and closes it. An answer that breaks off is read as
// far as it came.
func Read(resp *http.Response, req *http.Request) *Problem {
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	censor := censorOf(req)
	clean := func(s string, limit int) string { return clip(censor(s), limit) }
	p := &Problem{Status: resp.StatusCode, RequestID: clean(resp.Header.Get("X-Request-Id"), maxExcerpt), RetryAfter: RetryAfter(resp.Header)}
	var m members
	switch {
	case strings.Contains(MediaType(resp), "json") && json.Unmarshal(body, &m) == nil && m.Code != "":
		p.fill(m, clean)
	case resp.StatusCode < 400 && resp.StatusCode >= 300:
		p.Detail = clean("redirects are not followed"+target(resp), 2*maxExcerpt)
	default:
		p.Detail = "not an answer of orgd" + excerpt(MediaType(resp), censor(string(body)))
	}
	return p
}

// OfStream returns the problem that the last line of an answer's stream tells.
func OfStream(resp *http.Response, code, detail string) *Problem {
	return &Problem{Status: resp.StatusCode, Code: client.ErrorCode(clip(code, maxExcerpt)), Detail: clip(detail, maxDetail),
		RequestID: clip(resp.Header.Get("X-Request-Id"), maxExcerpt)}
}

// members are those of the contract's Problem. Values that break its bounds are taken, too.
type members struct {
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

func (p *Problem) fill(m members, clean func(s string, limit int) string) {
	p.Code, p.Detail, p.OperationID = client.ErrorCode(clean(m.Code, maxExcerpt)), clean(m.Detail, maxDetail), clean(m.OperationID, maxExcerpt)
	if m.RequestID != "" {
		p.RequestID = clean(m.RequestID, maxExcerpt)
	}
	for _, f := range m.Errors[:min(len(m.Errors), maxFields)] {
		p.Fields = append(p.Fields, Field{clean(f.Pointer, maxDetail), clean(f.Parameter, maxDetail), clean(f.Detail, maxDetail)})
	}
}

// RetryAfter reads the header of that name, in seconds or as a date.
func RetryAfter(h http.Header) time.Duration {
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

// excerpt says what an answer that is not orgd's is: its type, and a text or a page's title.
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

// MediaType returns the type of an answer's body, without parameters; "" if there is none.
func MediaType(resp *http.Response) string {
	t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return ""
	}
	return clip(t, maxExcerpt)
}
