package suite

import (
	"github.com/orgd/orgd/bench/load"
)

// Alternate measures A B A B and so on, and returns the samples of each: see Turns.
func (s *Suite) Alternate(a, b func() (load.Sample, error)) (as, bs []load.Sample, err error) {
	all, err := Turns(s.Rounds, a, b)
	if err != nil {
		return nil, nil, err
	}
	return all[0], all[1], nil
}

// Turns measures each side once a round, one after the other, and returns the samples of
// each side. What disturbs the machine for a while then falls on all of them. A first
// round, when everything is still warming up, is thrown away.
func Turns[S any](rounds int, sides ...func() (S, error)) ([][]S, error) {
	all := make([][]S, len(sides))
	for round := range rounds + 1 {
		for i, measure := range sides {
			sample, err := measure()
			if err != nil {
				return nil, err
			}
			if round > 0 {
				all[i] = append(all[i], sample)
			}
		}
	}
	return all, nil
}
