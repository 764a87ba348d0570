package main

import (
	"context"
	"fmt"
)

// cost is orgd's default BCRYPT_COST.
const cost = 12

// login measures how much of what bcrypt allows is left of it in orgd.
func (s *suite) login(ctx context.Context) error {
	orgd, err := s.startOrgd(ctx, "login", fmt.Sprint("BCRYPT_COST=", cost))
	if err != nil {
		return err
	}
	defer orgd.stop()
	return s.loginOn(ctx, orgd, "embedded engine", 0.90)
}

// loginOn measures creates and logins on an orgd; target 0 is none. It is a number
// of hashes and not a time that is measured: there are few in a second, and those
// that a time would cut off are too many to leave out or to count.
func (s *suite) loginOn(ctx context.Context, orgd *server, engine string, target float64) error {
	count, clients := s.count*cores(), 4*cores()
	created := 1_000 // the first number; others may be there
	if err := fill(ctx, orgd, created, created+1); err != nil {
		return err
	}
	logins := load{clients: clients, count: count, do: func(c client, _ int) error {
		_, err := c.do(login(1_000), 200)
		return err
	}}
	created++
	loads := []struct {
		what string
		run  func() (sample, error)
	}{
		{"`POST /admin/login`", func() (sample, error) { return logins.run(ctx, orgd) }},
		{"`POST /org/create`", func() (sample, error) {
			l := creates(created, created+count)
			l.clients, created = clients, created+count
			return l.run(ctx, orgd)
		}},
	}
	for _, l := range loads {
		ours, theirs, err := s.alternate(l.run, func() (sample, error) { return s.hashAlone(ctx, cost, count) })
		if err != nil {
			return err
		}
		ratio := medianRatio(ours, theirs, rate)
		r := row{
			what: fmt.Sprintf("%s, %d clients, bcrypt cost %d, %s; yardstick: bcrypt alone", l.what, clients, cost, engine),
			orgd: shown(medianSample(ours)), yardstick: thousands(medianSample(theirs).perSecond) + " /s", ratio: percent(ratio),
		}
		if target > 0 {
			r.target, r.reached = "≥ "+percent(target), verdictOf(ratio >= target)
		}
		s.add(r)
	}
	s.note(fmt.Sprintf("Creates and logins: %d hashes in each round, at the same low priority as in orgd for bcrypt alone.", count))
	return nil
}
