package organizations

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/machine"
	"github.com/orgd/orgd/bench/organization"
	"github.com/orgd/orgd/bench/process"
	"github.com/orgd/orgd/bench/suite"
)

const (
	small        = 100 // organizations in a small orgd
	sizeCreates  = 100 // a round
	maxMemory    = 150 << 20
	maxRestart   = time.Second
	createSpread = 0.20
	restarts     = 5
)

// Size measures what many organizations cost, on the embedded engine. Hashes are cheap,
// so that the figures are not those of hashes.
func Size(ctx context.Context, s *suite.Suite) error {
	large, err := s.StartOrgd(ctx, "large", "BCRYPT_COST=4")
	if err != nil {
		return err
	}
	defer func() { _ = large.Stop() }()
	filled, err := organization.Creates(0, s.Large).Run(ctx, large)
	if err != nil {
		return err
	}
	s.Add(suite.Row{
		What: fmt.Sprintf("`POST /org/create` of %s organizations, %d clients, bcrypt cost 4", figure.Thousands(float64(s.Large)), organization.CreateClients),
		Orgd: filled.String(),
	})
	if err := memoryOf(ctx, s, large, "after creating them and getting each"); err != nil {
		return err
	}
	if err := growth(ctx, s, large); err != nil {
		return err
	}
	return restart(ctx, s, large)
}

// memoryOf reads every organization once and notes what memory is in use.
func memoryOf(ctx context.Context, s *suite.Suite, large *process.Server, when string) error {
	gets := load.Load{Clients: getClients, Count: s.Large, Do: func(c client.Client, n int) error {
		_, err := c.Do(organization.LookupRequest(n), 200)
		return err
	}}
	if _, err := gets.Run(ctx, large); err != nil {
		return err
	}
	now, peak, err := machine.Memory(large.Pid())
	if err != nil {
		s.Note(fmt.Sprintf("Memory was not measured: %v.", err))
		return nil
	}
	s.Add(suite.Row{
		What:   fmt.Sprintf("resident memory at %s organizations, %s", figure.Thousands(float64(s.Large)), when),
		Orgd:   fmt.Sprintf("%.0f MiB, at its peak %.0f MiB", figure.MiB(now), figure.MiB(peak)),
		Target: fmt.Sprintf("≤ %.0f MiB", figure.MiB(maxMemory)), Reached: suite.Reached(peak <= maxMemory),
	})
	return nil
}

// growth compares creates among many organizations with creates among few.
func growth(ctx context.Context, s *suite.Suite, large *process.Server) error {
	few, err := s.StartOrgd(ctx, "small", "BCRYPT_COST=4")
	if err != nil {
		return err
	}
	defer few.Stop()
	if err := organization.CreateAll(ctx, few, 0, small); err != nil {
		return err
	}
	next := s.Large
	more := func(v *process.Server) func() (load.Sample, error) {
		return func() (load.Sample, error) {
			next += sizeCreates
			return organization.Creates(next-sizeCreates, next).Run(ctx, v)
		}
	}
	ours, theirs, err := s.Alternate(more(large), more(few))
	if err != nil {
		return err
	}
	ratio := figure.MedianRatio(ours, theirs, load.Rate)
	s.Add(suite.Row{
		What: fmt.Sprintf("%d × `POST /org/create` at %s organizations, %d clients, bcrypt cost 4; yardstick: at %d",
			sizeCreates, figure.Thousands(float64(s.Large)), organization.CreateClients, small),
		Orgd: load.Median(ours).String(), Yardstick: load.Median(theirs).String(), Ratio: figure.Percent(ratio),
		Target: fmt.Sprintf("100 ± %.0f %%", 100*createSpread), Reached: suite.Reached(math.Abs(ratio-1) <= createSpread),
	})
	return nil
}

// restart measures the time from the start of the process to its first 200 from
// /readyz, on the data that the process before it left.
func restart(ctx context.Context, s *suite.Suite, large *process.Server) error {
	ways := []struct {
		after string
		end   func(*process.Server) error
	}{{"a stop", (*process.Server).Stop}, {"a kill", (*process.Server).Kill}}
	v := large
	for _, way := range ways {
		var took []time.Duration
		for range restarts {
			if err := way.end(v); err != nil {
				return err
			}
			var err error
			if v, err = s.StartOrgd(ctx, "large", "BCRYPT_COST=4"); err != nil {
				return err
			}
			took = append(took, v.ReadyAfter)
		}
		d := figure.Median(took)
		s.Add(suite.Row{
			What:   fmt.Sprintf("restart at %s organizations after %s: from exec to 200 from `/readyz`", figure.Thousands(float64(s.Large)), way.after),
			Orgd:   figure.Short(d),
			Target: "≤ " + figure.Short(maxRestart), Reached: suite.Reached(d <= maxRestart),
		})
	}
	defer v.Stop()
	return memoryOf(ctx, s, v, "after a restart and getting each")
}
