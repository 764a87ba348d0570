package organizations

import (
	"context"
	"fmt"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/machine"
	"github.com/orgd/orgd/bench/organization"
	"github.com/orgd/orgd/bench/process"
	"github.com/orgd/orgd/bench/suite"
)

// cost is orgd's default BCRYPT_COST.
const cost = 12

// Logins measures how many of the hashes that bcrypt alone computes orgd gets to.
func Logins(ctx context.Context, s *suite.Suite) error {
	orgd, err := s.StartOrgd(ctx, "login", fmt.Sprint("BCRYPT_COST=", cost))
	if err != nil {
		return err
	}
	defer orgd.Stop()
	return loginsOn(ctx, s, orgd, "embedded engine", 0.90)
}

// loginsOn measures creates and logins on an orgd; target 0 is none. A round is
// a number of hashes and not a time: there are few in a second, and those that the end
// of a time would cut off are too many to leave out or to count.
func loginsOn(ctx context.Context, s *suite.Suite, orgd *process.Server, engine string, target float64) error {
	count, clients := s.Count*machine.Cores(), 4*machine.Cores()
	created := 1_000 // the first number; others may be there
	if err := organization.CreateAll(ctx, orgd, created, created+1); err != nil {
		return err
	}
	logins := load.Load{Clients: clients, Count: count, Do: func(c client.Client, _ int) error {
		_, err := c.Do(organization.LoginRequest(1_000), 200)
		return err
	}}
	created++
	loads := []struct {
		what string
		run  func() (load.Sample, error)
	}{
		{"`POST /admin/login`", func() (load.Sample, error) { return logins.Run(ctx, orgd) }},
		{"`POST /org/create`", func() (load.Sample, error) {
			l := organization.Creates(created, created+count)
			l.Clients, created = clients, created+count
			return l.Run(ctx, orgd)
		}},
	}
	for _, l := range loads {
		ours, theirs, err := s.Alternate(l.run, func() (load.Sample, error) { return hashAlone(ctx, s, cost, count) })
		if err != nil {
			return err
		}
		ratio := figure.MedianRatio(ours, theirs, load.Rate)
		r := suite.Row{
			What: fmt.Sprintf("%s, %d clients, bcrypt cost %d, %s; yardstick: bcrypt alone", l.what, clients, cost, engine),
			Orgd: load.Median(ours).String(), Yardstick: figure.Thousands(load.Median(theirs).PerSecond) + " /s", Ratio: figure.Percent(ratio),
		}
		if target > 0 {
			r.Target, r.Reached = "≥ "+figure.Percent(target), suite.Reached(ratio >= target)
		}
		s.Add(r)
	}
	s.Note(fmt.Sprintf("Creates and logins: %d hashes in each round, at the same low priority as in orgd for bcrypt alone.", count))
	return nil
}
