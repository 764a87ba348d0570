package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A load is a number of clients who each send a request, wait for the answer,
// pause, and begin again.
type load struct {
	clients int
	pause   time.Duration
	// It ends after that time, or after that many requests; one of the two is 0.
	lasts time.Duration
	count int
	// ordinary is for clients of net/http instead of lean ones.
	ordinary bool
	// do makes request number n, 0 and up, each number once. It is called by many
	// clients at a time.
	do func(c client, n int) error
}

// A sample is what one load came to.
type sample struct {
	requests  int
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration // of the server, a request
	client    time.Duration // the same of this process
}

// run runs the load on a server. One failed request fails all of it.
func (l load) run(ctx context.Context, s *server) (sample, error) {
	clients, err := l.connect(s.addr)
	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()
	if err != nil {
		return sample{}, errors.Join(err, s.ended())
	}
	ctx, cancel := l.bound(ctx)
	defer cancel()
	cpu, own, began := cpuTime(s.pid()), cpuTime(os.Getpid()), time.Now()
	latencies, err := l.send(ctx, clients)
	took := time.Since(began)
	if err != nil {
		return sample{}, errors.Join(err, s.ended())
	}
	if l.lasts == 0 && ctx.Err() != nil {
		return sample{}, ctx.Err()
	}
	n := len(latencies)
	return sample{
		requests: n, perSecond: float64(n) / took.Seconds(),
		p50: quantile(latencies, 0.50), p99: quantile(latencies, 0.99),
		cpu:    (cpuTime(s.pid()) - cpu) / time.Duration(max(n, 1)),
		client: (cpuTime(os.Getpid()) - own) / time.Duration(max(n, 1)),
	}, nil
}

// runHere runs a load whose requests go to no server: do gets no client.
func (l load) runHere(ctx context.Context) (sample, error) {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	began := time.Now()
	latencies, err := l.send(ctx, make([]client, l.clients))
	took := time.Since(began)
	if err != nil {
		return sample{}, err
	}
	return sample{
		requests: len(latencies), perSecond: float64(len(latencies)) / took.Seconds(),
		p50: quantile(latencies, 0.50), p99: quantile(latencies, 0.99),
	}, nil
}

func (l load) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.lasts > 0 {
		return context.WithTimeout(ctx, l.lasts)
	}
	return ctx, func() {}
}

func (l load) connect(addr string) ([]client, error) {
	if l.ordinary {
		return goClients(addr, l.clients), nil
	}
	return leanClients(addr, l.clients)
}

// send returns how long the requests took, sorted.
func (l load) send(ctx context.Context, clients []client) ([]time.Duration, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var (
		next atomic.Int64
		work sync.WaitGroup
		took = make([][]time.Duration, len(clients))
		errs = make([]error, len(clients))
	)
	for i, c := range clients {
		work.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if l.count > 0 && n >= l.count {
					return
				}
				began := time.Now()
				if errs[i] = l.do(c, n); errs[i] != nil {
					stop(errs[i])
					return
				}
				took[i] = append(took[i], time.Since(began))
				if l.pause > 0 {
					time.Sleep(l.pause)
				}
			}
		})
	}
	work.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	return all, errors.Join(errs...)
}

// alternate measures A B A B and so on, and returns the samples of each. What
// disturbs the machine for a while then falls on both. The first of each, when
// everything is still warming up, is thrown away.
func (s *suite) alternate(a, b func() (sample, error)) (as, bs []sample, err error) {
	for round := range s.rounds + 1 {
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

// medianSample is each figure's median.
func medianSample(all []sample) sample {
	return sample{
		perSecond: medianOf(all, func(x sample) float64 { return x.perSecond }),
		p50:       medianOf(all, func(x sample) time.Duration { return x.p50 }),
		p99:       medianOf(all, func(x sample) time.Duration { return x.p99 }),
		cpu:       medianOf(all, func(x sample) time.Duration { return x.cpu }),
		client:    medianOf(all, func(x sample) time.Duration { return x.client }),
	}
}

func medianOf[S any, T ~int64 | ~float64](all []S, figure func(S) T) T {
	var values []T
	for _, x := range all {
		values = append(values, figure(x))
	}
	return median(values)
}

// medianRatio is the median of the rounds' ratios of a figure.
func medianRatio[S any, T ~int64 | ~float64](as, bs []S, figure func(S) T) float64 {
	var ratios []float64
	for i := range as {
		ratios = append(ratios, float64(figure(as[i]))/float64(figure(bs[i])))
	}
	return median(ratios)
}

func rate(x sample) float64 { return x.perSecond }
