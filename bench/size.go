package main

import (
	"context"
	"fmt"
	"math"
	"time"
)

const (
	small        = 100 // organizations in a small orgd
	sizeCreates  = 100 // a round
	maxMemory    = 150 << 20
	maxRestart   = time.Second
	createSpread = 0.20
	restarts     = 5
)

// size measures what many organizations cost, on the embedded engine. Hashes are
// cheap here, so that what is measured is not hashes.
func (s *suite) size(ctx context.Context) error {
	large, err := s.startOrgd(ctx, "large", "BCRYPT_COST=4")
	if err != nil {
		return err
	}
	defer func() { _ = large.stop() }()
	filled, err := creates(0, s.large).run(ctx, large)
	if err != nil {
		return err
	}
	s.add(row{
		what: fmt.Sprintf("`POST /org/create` of %s organizations, %d clients, bcrypt cost 4", thousands(float64(s.large)), createClients),
		orgd: shown(filled),
	})
	if err := s.memoryOf(ctx, large, "after creating them and getting each"); err != nil {
		return err
	}
	if err := s.growth(ctx, large); err != nil {
		return err
	}
	return s.restart(ctx, large)
}

// memoryOf reads every organization once and notes what memory is in use.
func (s *suite) memoryOf(ctx context.Context, large *server, when string) error {
	gets := load{clients: getClients, count: s.large, do: func(c client, n int) error {
		_, err := c.do(lookup(n), 200)
		return err
	}}
	if _, err := gets.run(ctx, large); err != nil {
		return err
	}
	now, peak, err := memory(large.pid())
	if err != nil {
		s.note(fmt.Sprintf("Memory was not measured: %v.", err))
		return nil
	}
	s.add(row{
		what:   fmt.Sprintf("resident memory at %s organizations, %s", thousands(float64(s.large)), when),
		orgd:   fmt.Sprintf("%.0f MiB, at its peak %.0f MiB", mib(now), mib(peak)),
		target: fmt.Sprintf("≤ %.0f MiB", mib(maxMemory)), reached: verdictOf(peak <= maxMemory),
	})
	return nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// growth compares creates among many organizations with creates among few.
func (s *suite) growth(ctx context.Context, large *server) error {
	few, err := s.startOrgd(ctx, "small", "BCRYPT_COST=4")
	if err != nil {
		return err
	}
	defer few.stop()
	if err := fill(ctx, few, 0, small); err != nil {
		return err
	}
	next := s.large
	more := func(v *server) func() (sample, error) {
		return func() (sample, error) {
			next += sizeCreates
			return creates(next-sizeCreates, next).run(ctx, v)
		}
	}
	ours, theirs, err := s.alternate(more(large), more(few))
	if err != nil {
		return err
	}
	ratio := medianRatio(ours, theirs, rate)
	s.add(row{
		what: fmt.Sprintf("%d × `POST /org/create` at %s organizations, %d clients, bcrypt cost 4; yardstick: at %d",
			sizeCreates, thousands(float64(s.large)), createClients, small),
		orgd: shown(medianSample(ours)), yardstick: shown(medianSample(theirs)), ratio: percent(ratio),
		target: fmt.Sprintf("100 ± %.0f %%", 100*createSpread), reached: verdictOf(math.Abs(ratio-1) <= createSpread),
	})
	return nil
}

// restart measures the time from the start of the process to its first 200 from
// /readyz, on the data that another left behind.
func (s *suite) restart(ctx context.Context, large *server) error {
	ways := []struct {
		after string
		end   func(*server) error
	}{{"a stop", (*server).stop}, {"a kill", (*server).kill}}
	v := large
	for _, way := range ways {
		var took []time.Duration
		for range restarts {
			if err := way.end(v); err != nil {
				return err
			}
			var err error
			if v, err = s.startOrgd(ctx, "large", "BCRYPT_COST=4"); err != nil {
				return err
			}
			took = append(took, v.readyAfter)
		}
		d := median(took)
		s.add(row{
			what:   fmt.Sprintf("restart at %s organizations after %s: from exec to 200 from `/readyz`", thousands(float64(s.large)), way.after),
			orgd:   short(d),
			target: "≤ " + short(maxRestart), reached: verdictOf(d <= maxRestart),
		})
	}
	defer v.stop()
	return s.memoryOf(ctx, v, "after a restart and getting each")
}
