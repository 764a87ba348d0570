package suite

import (
	"github.com/orgd/orgd/bench/load"
)

// Alternate measures A B A B and so on, and returns the samples of each. What
// disturbs the machine for a while then falls on both. The first of each, when
// everything is still warming up, is thrown away.
func (s *Suite) Alternate(a, b func() (load.Sample, error)) (as, bs []load.Sample, err error) {
	for round := range s.Rounds + 1 {
		x, err := a()
		if err != nil {
			return nil, nil, err
		}
		y, err := b()
		if err != nil {
			return nil, nil, err
		}
		if round > 0 {
			as, bs = append(as, x), append(bs, y)
		}
	}
	return as, bs, nil
}
