package wire

import (
	"context"
	"io"
	"net"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orgd/orgd/internal/fair"
	"github.com/orgd/orgd/internal/httpapi/memory"
)

// TestWritesOfSocketsThatCannotBeTried are those of net.Pipe.
func TestWritesOfSocketsThatCannotBeTried(t *testing.T) {
	one, other := net.Pipe()
	n := NewConnections(1, 1, nil).admit(one)
	go func() {
		_, _ = n.Write([]byte("hello"))
		_ = n.Close()
	}()
	if text, err := io.ReadAll(other); err != nil || string(text) != "hello" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestAnAnswerLooksAtTheClockNowAndThen: after so many bytes of documents, and at once where
// its turn may be new. To look is to fail here: the turn is used up, and the client has left.
func TestAnAnswerLooksAtTheClockNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		leave()
		queue, work := fair.NewQueue(0, 0), new(fair.Work)
		work.Begin(queue, "acme")
		p := NewWriter(ctx, httptest.NewRecorder(), time.Minute, new(memory.Hold), work.Turn())
		p.conn = new(connection)
		looks := func(bytes int) bool { return p.ShareFor(bytes) != nil }
		if looks(1) {
			t.Fatal("the turn is used up when it begins")
		}
		time.Sleep(10 * time.Millisecond)
		if looks(shareEvery-1) || !looks(1) {
			t.Errorf("it does not look after %d bytes", shareEvery)
		}
		if p.EndTurn(); !looks(1) {
			t.Error("it does not look in a new turn")
		}
		if _, err := p.Write([]byte("x")); err != nil || !looks(1) {
			t.Errorf("it does not look after a write: %v", err)
		}
		if !looks(shareEvery) {
			t.Error("it does not look for a large document")
		}
	})
}
