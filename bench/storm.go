package main

import (
	"context"
	"fmt"
	"time"
)

const (
	stormClients = 16
	stormGetters = 4
	stormPause   = 2 * time.Millisecond
	stormFactor  = 5.0
)

// storm measures what a login storm does to those who only want to read. They
// pause between requests, so that there is something to wait for: clients who fill
// the processors by themselves wait for each other and notice little else.
func (s *suite) storm(ctx context.Context) error {
	orgd, err := s.startOrgd(ctx, "storm", fmt.Sprint("BCRYPT_COST=", cost))
	if err != nil {
		return err
	}
	defer orgd.stop()
	if err := fill(ctx, orgd, 0, stormClients); err != nil {
		return err
	}
	var hashes []float64
	calm, stormy, err := s.alternate(
		func() (sample, error) { return s.getters().run(ctx, orgd) },
		func() (sample, error) {
			gets, logins, err := s.inStorm(ctx, orgd)
			hashes = append(hashes, logins.perSecond)
			return gets, err
		},
	)
	if err != nil {
		return err
	}
	ratio := medianRatio(stormy, calm, func(x sample) time.Duration { return x.p99 })
	s.add(row{
		what: fmt.Sprintf("`GET /org/get`, %d clients who pause for %v, while %d log in without pause; yardstick: without logins",
			stormGetters, stormPause, stormClients),
		orgd:      fmt.Sprintf("p50 %s, p99 %s, with %s logins/s", short(medianSample(stormy).p50), short(medianSample(stormy).p99), thousands(median(hashes))),
		yardstick: fmt.Sprintf("p50 %s, p99 %s", short(medianSample(calm).p50), short(medianSample(calm).p99)),
		ratio:     fmt.Sprintf("%.1f × p99", ratio), target: fmt.Sprintf("≤ %.0f ×", stormFactor), reached: verdictOf(ratio <= stormFactor),
	})
	return nil
}

func (s *suite) getters() load {
	return load{clients: stormGetters, pause: stormPause, lasts: 2 * s.window, do: func(c client, n int) error {
		_, err := c.do(lookup(n%stormClients), 200)
		return err
	}}
}

// inStorm measures gets while others log in.
func (s *suite) inStorm(ctx context.Context, orgd *server) (gets, logins sample, err error) {
	// A little longer than the gets, which begin when all logins wait for each other.
	lead := s.window / 4
	storm := load{clients: stormClients, lasts: 2*s.window + 2*lead, do: func(c client, n int) error {
		_, err := c.do(login(n%stormClients), 200)
		return err
	}}
	type result struct {
		sample
		err error
	}
	ended := make(chan result, 1)
	go func() {
		x, err := storm.run(ctx, orgd)
		ended <- result{x, err}
	}()
	time.Sleep(lead)
	gets, err = s.getters().run(ctx, orgd)
	r := <-ended
	if err == nil {
		err = r.err
	}
	return gets, r.sample, err
}
