package webui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// writeTimeout is how long a client may take to receive a page.
const writeTimeout = 2 * time.Minute

// A page is served from memory, compressed for clients that accept that, which is
// nearly everybody.
type page struct {
	contentType string
	compressed  []byte
	plain       func() []byte
	tag         string // of the content, without quotes
}

// newPage makes a page of what is not compressed yet.
func newPage(contentType string, data []byte) *page {
	var compressed bytes.Buffer
	z, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err != nil {
		panic(err) // there is that level
	}
	// Writing to a buffer does not fail.
	_, _ = z.Write(data)
	_ = z.Close()
	return &page{
		contentType: contentType, compressed: compressed.Bytes(),
		plain: func() []byte { return data }, tag: tagOf(data),
	}
}

// newCompressedPage makes a page of what gzip has compressed. Only when a client
// asks for it is it decompressed, and from then on kept both ways.
func newCompressedPage(contentType string, compressed []byte) (*page, error) {
	data, err := decompress(compressed)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return &page{
		contentType: contentType, compressed: compressed, tag: tagOf(data),
		plain: sync.OnceValue(func() []byte {
			data, err := decompress(compressed)
			if err != nil {
				panic(err) // it went well before
			}
			return data
		}),
	}, nil
}

func decompress(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func tagOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// ServeHTTP implements http.Handler for GET and HEAD.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, tag := p.plain, `"`+p.tag+`"`
	h := w.Header()
	h.Set("Content-Type", p.contentType)
	h.Set("Content-Security-Policy", policy)
	// A browser may keep it but asks whether it is still so: a new orgd brings a
	// new Swagger UI under the same names.
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		data, tag = func() []byte { return p.compressed }, `"`+p.tag+`-gzip"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", tag)
	if matches(r.Header.Values("If-None-Match"), tag) {
		h.Del("Content-Encoding")
		h.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := data()
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)) // a test's writer has none
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a failure means that the client has left
	}
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3). Without the header no
// encoding is the safe one.
func acceptsGzip(values []string) bool {
	accepted := false
	for _, one := range strings.Split(strings.Join(values, ","), ",") {
		coding, params, _ := strings.Cut(one, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding == "gzip" {
			return !refused(params) // by name, which goes before *
		}
		accepted = accepted || coding == "*" && !refused(params)
	}
	return accepted
}

// refused reports whether the parameters have a weight of zero.
func refused(params string) bool {
	name, value, _ := strings.Cut(strings.TrimSpace(params), "=")
	if !strings.EqualFold(strings.TrimSpace(name), "q") {
		return false
	}
	weight, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return err == nil && weight == 0
}

// matches reads If-None-Match, which compares weakly (RFC 9110, 13.1.2).
func matches(values []string, tag string) bool {
	for _, one := range strings.Split(strings.Join(values, ","), ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == tag || one == "*" {
			return true
		}
	}
	return false
}
