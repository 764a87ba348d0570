package organizations

import (
	"context"
	"fmt"
	"time"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/organization"
	"github.com/orgd/orgd/bench/process"
	"github.com/orgd/orgd/bench/suite"
)

const (
	stormClients = 16
	stormGetters = 4
	stormPause   = 2 * time.Millisecond
	stormFactor  = 5.0
)

// Storm measures what a login storm does to clients that only read. These
// pause between requests: clients that fill the processors by themselves wait for each
// other and notice little else.
func Storm(ctx context.Context, s *suite.Suite) error {
	orgd, err := s.StartOrgd(ctx, "storm", fmt.Sprint("BCRYPT_COST=", cost))
	if err != nil {
		return err
	}
	defer orgd.Stop()
	if err := organization.CreateAll(ctx, orgd, 0, stormClients); err != nil {
		return err
	}
	var hashes []float64
	calm, stormy, err := s.Alternate(
		func() (load.Sample, error) { return getters(s).Run(ctx, orgd) },
		func() (load.Sample, error) {
			gets, logins, err := inStorm(ctx, s, orgd)
			hashes = append(hashes, logins.PerSecond)
			return gets, err
		},
	)
	if err != nil {
		return err
	}
	ratio := figure.MedianRatio(stormy, calm, func(x load.Sample) time.Duration { return x.P99 })
	s.Add(suite.Row{
		What: fmt.Sprintf("`GET /org/get`, %d clients who pause for %v, while %d log in without pause; yardstick: without logins",
			stormGetters, stormPause, stormClients),
		Orgd:      fmt.Sprintf("p50 %s, p99 %s, with %s logins/s", figure.Short(load.Median(stormy).P50), figure.Short(load.Median(stormy).P99), figure.Thousands(figure.Median(hashes))),
		Yardstick: fmt.Sprintf("p50 %s, p99 %s", figure.Short(load.Median(calm).P50), figure.Short(load.Median(calm).P99)),
		Ratio:     fmt.Sprintf("%.1f × p99", ratio), Target: fmt.Sprintf("≤ %.0f ×", stormFactor), Reached: suite.Reached(ratio <= stormFactor),
	})
	return nil
}

func getters(s *suite.Suite) load.Load {
	return load.Load{Clients: stormGetters, Pause: stormPause, Lasts: 2 * s.Window, Do: func(c client.Client, n int) error {
		_, err := c.Do(organization.LookupRequest(n%stormClients), 200)
		return err
	}}
}

// inStorm measures gets while other clients log in.
func inStorm(ctx context.Context, s *suite.Suite, orgd *process.Server) (gets, logins load.Sample, err error) {
	// A little longer than the gets, which begin when all logins wait for each other.
	lead := s.Window / 4
	storm := load.Load{Clients: stormClients, Lasts: 2*s.Window + 2*lead, Do: func(c client.Client, n int) error {
		_, err := c.Do(organization.LoginRequest(n%stormClients), 200)
		return err
	}}
	type result struct {
		load.Sample
		err error
	}
	ended := make(chan result, 1)
	go func() {
		x, err := storm.Run(ctx, orgd)
		ended <- result{x, err}
	}()
	time.Sleep(lead)
	gets, err = getters(s).Run(ctx, orgd)
	r := <-ended
	if err == nil {
		err = r.err
	}
	return gets, r.Sample, err
}
