package transfer

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/httpapi/memory"
)

// Lines of any length: the longest is refused alone, and nothing of it is kept.
func TestLongLines(t *testing.T) {
	t.Parallel()
	long := strings.NewReader(strings.Repeat(" ", contract.DocumentBodyLimit) + "{}")
	fits := `{"a":"` + strings.Repeat("x", 3*streamChunk) + `"}`
	var held memory.Hold
	r := newLineReader(iotest.DataErrReader(io.MultiReader(strings.NewReader("a\n"+fits+"\n"), long, strings.NewReader("\nb\n\nc"))), held.Take, held.Give)
	for i, want := range []string{"a\n", fits + "\n", "too long", "b\n", "\n", "c"} {
		line, err := r.next()
		if want == "too long" {
			if !errors.Is(err, errLineTooLong) {
				t.Errorf("line %d: %v", i+1, err)
			}
			continue
		}
		if err != nil || string(line) != want || r.number != int64(i+1) {
			t.Errorf("line %d is %.20q: %v, number %d", i+1, line, err, r.number)
		}
	}
	if _, err := r.next(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	cut := newLineReader(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(io.ErrUnexpectedEOF)), held.Take, held.Give)
	if line, err := cut.next(); string(line) != "a\n" || err != nil {
		t.Errorf("%q %v", line, err)
	}
	if line, err := cut.next(); err != io.ErrUnexpectedEOF {
		t.Errorf("half a line: %q %v", line, err)
	}
}
