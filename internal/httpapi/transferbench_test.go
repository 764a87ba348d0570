package httpapi

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/orgd/orgd/internal/httpapi/transfer"
)

// transferLines are small documents, one a line.
func transferLines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"_id":"u-%07d","name":"Ada Lovelace","city":"London","age":%d,"tags":["math","engine"],"at":{"$date":"2026-11-23T12:00:00Z"},"n":%d}`+"\n", i, i%90, i*1_000_003)
	}
	return b.Bytes()
}

func (s *server) transfer(b testing.TB, method, path string, body io.Reader) (n int64) {
	req, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", transfer.LinesType)
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	n, err = io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("%s %s: %d %v", method, path, resp.StatusCode, err)
	}
	return n
}

const transferred = 100_000

func BenchmarkImport(b *testing.B) {
	s := startData(b)
	lines := transferLines(transferred)
	for b.Loop() {
		b.StopTimer()
		// New documents every time, into what there is.
		fresh := bytes.ReplaceAll(lines, []byte(`"u-`), fmt.Appendf(nil, `"%d-`, b.Elapsed()))
		b.StartTimer()
		s.transfer(b, "POST", "/org/import", bytes.NewReader(fresh))
	}
	b.ReportMetric(float64(transferred)*float64(b.N)/b.Elapsed().Seconds(), "documents/s")
}

func BenchmarkExport(b *testing.B) {
	s := startData(b)
	s.transfer(b, "POST", "/org/import", bytes.NewReader(transferLines(transferred)))
	for b.Loop() {
		s.transfer(b, "GET", "/org/export", http.NoBody)
	}
	b.ReportMetric(float64(transferred)*float64(b.N)/b.Elapsed().Seconds(), "documents/s")
}
