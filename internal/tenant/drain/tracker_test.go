package drain

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestDrainWaitsForWritesThatEnteredBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Tracker
		early, before := g.Enter("o")
		drained := make(chan struct{})
		go func() {
			if err := g.Drain(t.Context(), "o"); err != nil {
				t.Error(err)
			}
			close(drained)
		}()
		synctest.Wait()
		late, after := g.Enter("o")
		if after == before {
			t.Error("who enters after a drain has begun does not learn of it")
		}
		other, _ := g.Enter("other")
		select {
		case <-drained:
			t.Fatal("it did not wait")
		default:
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Drain(ctx, "o"); err == nil {
			t.Error("a second drain did not wait for the first one's writes")
		}
		g.Leave("o", early)
		synctest.Wait()
		select {
		case <-drained:
		default:
			t.Error("it waits for who entered later")
		}
		g.Leave("o", late)
		g.Leave("other", other)
		if len(g.cohorts) != 0 {
			t.Errorf("the tracker remembers %s", fmt.Sprint(g.cohorts))
		}
	})
}
