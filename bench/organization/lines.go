package organization

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/orgd/orgd/bench/client"
)

// Load imports documents from number 0 up to count.
func (t Session) Load(ctx context.Context, count int, line func(dst []byte, n int) []byte) (took time.Duration, err error) {
	return t.ImportLines(ctx, count, &Lines{Line: line, End: count})
}

// Lines makes the lines of an import while the request is sent: those from number Next
// up to End.
type Lines struct {
	Line      func(dst []byte, n int) []byte
	Next, End int
	text      []byte
	ready     []byte // the part of text that is not read yet
}

// Read implements io.Reader.
func (l *Lines) Read(p []byte) (int, error) {
	if len(l.ready) == 0 {
		if l.Next == l.End {
			return 0, io.EOF
		}
		for l.text = l.text[:0]; l.Next < l.End && len(l.text) < 64<<10; l.Next++ {
			l.text = l.Line(l.text, l.Next)
		}
		l.ready = l.text
	}
	n := copy(p, l.ready)
	l.ready = l.ready[n:]
	return n, nil
}

// Stream sends a request whose body or answer consists of lines, and calls line with
// each line of the answer.
func (t Session) Stream(ctx context.Context, method, target string, body io.Reader, line func([]byte)) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+t.Orgd.Addr+target, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+t.Token)
	if body != nil {
		req.Header.Set("Content-Type", "application/x-ndjson")
	}
	transport := &http.Transport{ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return client.CheckStatus(resp.StatusCode, http.StatusOK, text)
	}
	lines := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		text, err := lines.ReadSlice('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		line(text)
	}
}

// ImportLines imports count documents, all of which are new.
func (t Session) ImportLines(ctx context.Context, count int, lines io.Reader) (took time.Duration, err error) {
	var last []byte
	began := time.Now()
	if err := t.Stream(ctx, "POST", "/org/import", lines, func(text []byte) { last = append(last[:0], text...) }); err != nil {
		return 0, err
	}
	took = time.Since(began)
	var result struct {
		Type     string `json:"type"`
		Inserted int    `json:"inserted"`
		Complete bool   `json:"complete"`
	}
	if err := json.Unmarshal(last, &result); err != nil {
		return 0, err
	}
	if result.Type != "result" || !result.Complete || result.Inserted != count {
		return 0, fmt.Errorf("an import of %d documents ends with %s", count, last)
	}
	return took, nil
}

// ExportAll exports all documents, of which there have to be count.
func (t Session) ExportAll(ctx context.Context, count int) (took time.Duration, err error) {
	var last []byte
	lines := -1 // without the trailer
	began := time.Now()
	if err := t.Stream(ctx, "GET", "/org/export", nil, func(text []byte) { last, lines = append(last[:0], text...), lines+1 }); err != nil {
		return 0, err
	}
	took = time.Since(began)
	var trailer struct {
		Trailer struct {
			Documents int  `json:"documents"`
			Complete  bool `json:"complete"`
		} `json:"_trailer"`
	}
	if err := json.Unmarshal(last, &trailer); err != nil {
		return 0, err
	}
	if t := trailer.Trailer; !t.Complete || t.Documents != count || lines != count {
		return 0, fmt.Errorf("an export of %d documents has %d lines and ends with %s", count, lines, last)
	}
	return took, nil
}
