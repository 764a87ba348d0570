package meter_test

import (
	"context"
	"testing"

	"github.com/orgd/orgd/internal/docdb/meter"
)

// A turn that counts how often it is asked to let others go on.
type restless struct{ rests, takes, dones int }

func (r *restless) Rest(context.Context) error { r.rests++; return nil }
func (r *restless) Take(context.Context) error { r.takes++; return nil }
func (r *restless) Done()                      { r.dones++ }

func TestAMeterLetsOthersGoOn(t *testing.T) {
	var turn restless
	m := meter.New(meter.WithTurns(t.Context(), func() meter.Turn { return &turn }))
	for range 1_000_000 {
		if !m.Take(1) {
			t.Fatal(m.Err())
		}
	}
	m.Done()
	if turn.rests < 50 || turn.rests > 500 || turn.dones != 1 {
		t.Errorf("%d rests and %d ends in a million steps", turn.rests, turn.dones)
	}
}

// TestLongWorkWaitsForItsTurn: what is long waits at once, what is short when it has worked
// for long, and without turns nothing does.
func TestLongWorkWaitsForItsTurn(t *testing.T) {
	for bytes, want := range map[int]restless{0: {rests: 1}, meter.LongBytes - 1: {rests: 1}, meter.LongBytes: {takes: 1}} {
		var turn restless
		if _, err := meter.TurnFor(meter.WithTurns(t.Context(), func() meter.Turn { return &turn }), bytes); err != nil || turn != want {
			t.Errorf("%d bytes: %+v, %v", bytes, turn, err)
		}
	}
	turn, err := meter.TurnFor(t.Context(), meter.LongBytes)
	if err != nil {
		t.Error(err)
	}
	turn.Done()
}
