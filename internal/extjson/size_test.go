package extjson

import (
	"bytes"
	"errors"
	"runtime"
	"testing"
)

// TestLargeForms: a text whose BSON is many times as long is not read to its end.
func TestLargeForms(t *testing.T) {
	text := slicesOf(`{"a":[`, `1,`, 16<<20, `1]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Parse(text, Documents)
	runtime.ReadMemStats(&after)
	var e *Error
	if !errors.As(err, &e) || !e.TooLarge {
		t.Errorf("got %v", err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > uint64(2*len(text)) {
		t.Errorf("it took %d MB of memory for %d", took>>20, len(text)>>20)
	}
	if _, err := Parse(slicesOf(`{"a":"`, "x", 15<<20, `"}`), Documents); err != nil {
		t.Error(err)
	}
}

func slicesOf(begin, middle string, times int, end string) []byte {
	return append(append([]byte(begin), bytes.Repeat([]byte(middle), times)...), end...)
}
