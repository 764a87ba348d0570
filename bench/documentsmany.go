package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// The size of what is imported, exported and paged through.
const (
	importedDocuments = 100_000 // a round
	exportedDocuments = 1_000_000
	pagedDocuments    = 10_000 // the yardstick of exportedDocuments
	pageLimit         = 100
	pageClients       = 4
	pagePause         = 2 * time.Millisecond
	perGroup          = 200 // documents with the same k
)

// appendSmall appends small document number n of count as a line of an import. k is the
// same in documents that lie far apart, the order of n is that of _id.
func appendSmall(dst []byte, n, count int) []byte {
	return fmt.Appendf(dst, `{"_id":"u-%08d","k":%d,"n":%d,"name":"%s","city":"London","active":true}`+"\n",
		n, n%groups(count), numbersFrom+n, documentNoise(n, 14))
}

func groups(count int) int { return max(count/perGroup, 1) }

// load imports documents from number 0 up to count.
func (t tenantOf) load(ctx context.Context, count int, line func(dst []byte, n int) []byte) (took time.Duration, err error) {
	return t.importLines(ctx, count, &lineSource{line: line, end: count})
}

// lineSource makes lines as they are read.
type lineSource struct {
	line      func(dst []byte, n int) []byte
	next, end int
	text      []byte
	ready     []byte // of text
}

// Read implements io.Reader.
func (l *lineSource) Read(p []byte) (int, error) {
	if len(l.ready) == 0 {
		if l.next == l.end {
			return 0, io.EOF
		}
		for l.text = l.text[:0]; l.next < l.end && len(l.text) < 64<<10; l.next++ {
			l.text = l.line(l.text, l.next)
		}
		l.ready = l.text
	}
	n := copy(p, l.ready)
	l.ready = l.ready[n:]
	return n, nil
}

// stream sends a request whose body or answer is lines, and hands each line of the
// answer to line.
func (t tenantOf) stream(ctx context.Context, method, target string, body io.Reader, line func([]byte)) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+t.orgd.addr+target, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+t.token)
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
		return checkStatus(resp.StatusCode, http.StatusOK, text)
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

// importLines imports count documents, all of which are new.
func (t tenantOf) importLines(ctx context.Context, count int, lines io.Reader) (took time.Duration, err error) {
	var last []byte
	began := time.Now()
	if err := t.stream(ctx, "POST", "/org/import", lines, func(text []byte) { last = append(last[:0], text...) }); err != nil {
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

// exportAll exports everything.
func (t tenantOf) exportAll(ctx context.Context, count int) (took time.Duration, err error) {
	var last []byte
	lines := -1 // of documents: not the trailer
	began := time.Now()
	if err := t.stream(ctx, "GET", "/org/export", nil, func(text []byte) { last, lines = append(last[:0], text...), lines+1 }); err != nil {
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

// many is an orgd of its own with one organization of so many small documents, by
// indexes on k and n.
func (s *suite) many(ctx context.Context, dir string, count int) (t tenantOf, took time.Duration, err error) {
	if t, err = s.startTenant(ctx, dir); err != nil {
		return tenantOf{}, 0, err
	}
	if err = t.index("k", false); err == nil {
		err = t.index("n", false)
	}
	if err == nil {
		took, err = t.load(ctx, count, func(dst []byte, n int) []byte { return appendSmall(dst, n, count) })
	}
	if err != nil {
		_ = t.orgd.stop()
	}
	return t, took, err
}

func (s *suite) transfers(ctx context.Context) error {
	imported := importedDocuments
	if s.quick {
		imported = 5_000
	}
	t, err := s.startTenant(ctx, "imports")
	if err != nil {
		return err
	}
	defer t.orgd.stop()
	var speeds []float64
	for round := range s.rounds + 1 {
		// Made before, since that takes the client as long as sending it.
		var lines []byte
		for n := range imported {
			lines = appendSmall(lines, round*imported+n, imported)
		}
		took, err := t.importLines(ctx, imported, bytes.NewReader(lines))
		if err != nil {
			return err
		}
		if round > 0 {
			speeds = append(speeds, float64(imported)/took.Seconds())
		}
	}
	size := len(appendSmall(nil, 0, imported)) - 1
	s.add(row{
		what: fmt.Sprintf("`POST /org/import` of %s documents of %d bytes, embedded engine", thousands(float64(imported)), size),
		orgd: thousands(median(speeds)) + " durable documents/s", target: fmt.Sprintf("≥ %s /s", thousands(importTarget)),
		reached: verdictOf(median(speeds) >= importTarget),
	})
	s.note("Imports and exports: one at a time, by a client of net/http; the time is from the request to the end of the answer, and all documents are counted. " +
		"The sizes are of the lines. The first round is thrown away.")
	return nil
}

func (s *suite) pages(ctx context.Context) error {
	many, few := exportedDocuments, pagedDocuments
	if s.quick {
		many, few = 20_000, 1_000
	}
	large, took, err := s.many(ctx, "many", many)
	if err != nil {
		return err
	}
	defer large.orgd.stop()
	s.add(row{
		what: fmt.Sprintf("`POST /org/import` of %s such documents into two indexes, embedded engine", thousands(float64(many))),
		orgd: fmt.Sprintf("%s durable documents/s", thousands(float64(many)/took.Seconds())),
	})
	if err := s.exports(ctx, large, many); err != nil {
		return err
	}
	small, _, err := s.many(ctx, "few", few)
	if err != nil {
		return err
	}
	defer small.orgd.stop()
	for _, query := range []struct {
		what   string
		target func(n, count int) string
	}{
		{"`filter={\"k\":…}`, documents that lie apart", func(n, count int) string {
			return pageOf(fmt.Sprintf(`{"k":%d}`, n*7_919%groups(count)), "")
		}},
		{"`filter={\"n\":{\"$gte\":…}}&sort=n`", func(n, count int) string {
			return pageOf(fmt.Sprintf(`{"n":{"$gte":%d}}`, numbersFrom+n*7_919%(count-pageLimit)), "n")
		}},
	} {
		run := func(t tenantOf, count int) func() (sample, error) {
			return func() (sample, error) {
				return load{clients: pageClients, pause: pagePause, lasts: 2 * s.window, do: func(c client, n int) error {
					body, err := c.do(newRequestAs(t.token, "GET", query.target(n, count), nil), 200)
					if err == nil && bytes.Count(body, []byte(`"_id"`)) != pageLimit {
						err = fmt.Errorf("not a page of %d documents: %s", pageLimit, body)
					}
					return err
				}}.run(ctx, t.orgd)
			}
		}
		a, b, err := s.alternate(run(large, many), run(small, few))
		if err != nil {
			return err
		}
		ratio := medianRatio(a, b, func(x sample) time.Duration { return x.p99 })
		s.add(row{
			what: fmt.Sprintf("`GET /org/documents`, a page of %d by %s, of %s documents, %d clients who pause for %v, embedded engine; yardstick: of %s",
				pageLimit, query.what, thousands(float64(many)), pageClients, pagePause, thousands(float64(few))),
			orgd: shown(medianSample(a)), yardstick: shown(medianSample(b)),
			ratio: fmt.Sprintf("%.1f × p99", ratio), target: fmt.Sprintf("≤ %.0f ×", pageTarget), reached: verdictOf(ratio <= pageTarget),
		})
	}
	s.note(fmt.Sprintf("Pages: in an orgd of its own for each number of documents, with indexes on k and n. %d documents have the same k, evenly spread over all; "+
		"those in order of n lie next to each other.", perGroup))
	return nil
}

func pageOf(filter, sort string) string {
	q := url.Values{"filter": {filter}, "limit": {fmt.Sprint(pageLimit)}}
	if sort != "" {
		q.Set("sort", sort)
	}
	return "/org/documents?" + q.Encode()
}

func (s *suite) exports(ctx context.Context, t tenantOf, count int) error {
	var speeds []float64
	for round := range min(s.rounds, 5) + 1 {
		took, err := t.exportAll(ctx, count)
		if err != nil {
			return err
		}
		if round > 0 {
			speeds = append(speeds, float64(count)/took.Seconds())
		}
	}
	s.add(row{
		what: fmt.Sprintf("`GET /org/export` of %s documents of %d bytes, embedded engine", thousands(float64(count)), len(appendSmall(nil, 0, count))-1),
		orgd: thousands(median(speeds)) + " documents/s", target: fmt.Sprintf("≥ %s /s", thousands(exportTarget)),
		reached: verdictOf(median(speeds) >= exportTarget),
	})
	return nil
}
