// Package load sends requests with many clients at a time, and measures how long they
// take.
package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/bench/machine"
	"github.com/orgd/orgd/bench/process"
)

// A Load is a number of clients, each of which sends a request, waits for the answer,
// pauses, and begins again.
type Load struct {
	Clients int
	Pause   time.Duration
	// The load ends after the time Lasts, or after Count requests; one of the two is 0.
	Lasts time.Duration
	Count int
	// Ordinary clients are those of net/http, see client.NetHTTP; the others are lean.
	Ordinary bool
	// Do makes request number n, 0 and up, each number once. It is called by many
	// clients at a time.
	Do func(c client.Client, n int) error
}

// A Sample is the result of one load.
type Sample struct {
	Requests  int
	PerSecond float64
	P50, P99  time.Duration
	CPU       time.Duration // processor time of the server, a request
	client    time.Duration // the same of this process
}

// String is the sample as a cell of a table.
func (x Sample) String() string {
	text := fmt.Sprintf("%s /s, p50 %s, p99 %s", figure.Thousands(x.PerSecond), figure.Short(x.P50), figure.Short(x.P99))
	if x.CPU > 0 && x.CPU < time.Millisecond {
		text += fmt.Sprintf(", a request %s of processor and %s of the client's", figure.Short(x.CPU), figure.Short(x.client))
	}
	return text
}

// Rate is how many requests there were a second.
func Rate(x Sample) float64 { return x.PerSecond }

// Run runs the load on a server. One failed request fails the load.
func (l Load) Run(ctx context.Context, s *process.Server) (Sample, error) {
	clients, err := l.connect(s.Addr)
	defer func() {
		for _, c := range clients {
			c.Close()
		}
	}()
	if err != nil {
		return Sample{}, errors.Join(err, s.Ended())
	}
	ctx, cancel := l.bound(ctx)
	defer cancel()
	cpu, own, began := machine.CPUTime(s.Pid()), machine.CPUTime(os.Getpid()), time.Now()
	latencies, err := l.send(ctx, clients)
	took := time.Since(began)
	if err != nil {
		return Sample{}, errors.Join(err, s.Ended())
	}
	if l.Lasts == 0 && ctx.Err() != nil {
		return Sample{}, ctx.Err()
	}
	n := len(latencies)
	return Sample{
		Requests: n, PerSecond: float64(n) / took.Seconds(),
		P50: figure.Quantile(latencies, 0.50), P99: figure.Quantile(latencies, 0.99),
		CPU:    (machine.CPUTime(s.Pid()) - cpu) / time.Duration(max(n, 1)),
		client: (machine.CPUTime(os.Getpid()) - own) / time.Duration(max(n, 1)),
	}, nil
}

// RunHere runs a load whose requests go to no server: Do gets no client.
func (l Load) RunHere(ctx context.Context) (Sample, error) {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	began := time.Now()
	latencies, err := l.send(ctx, make([]client.Client, l.Clients))
	took := time.Since(began)
	if err != nil {
		return Sample{}, err
	}
	return Sample{
		Requests: len(latencies), PerSecond: float64(len(latencies)) / took.Seconds(),
		P50: figure.Quantile(latencies, 0.50), P99: figure.Quantile(latencies, 0.99),
	}, nil
}

func (l Load) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.Lasts > 0 {
		return context.WithTimeout(ctx, l.Lasts)
	}
	return ctx, func() {}
}

func (l Load) connect(addr string) ([]client.Client, error) {
	if l.Ordinary {
		return client.NetHTTP(addr, l.Clients), nil
	}
	return client.Lean(addr, l.Clients)
}

// send returns how long each request took, sorted.
func (l Load) send(ctx context.Context, clients []client.Client) ([]time.Duration, error) {
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
				if l.Count > 0 && n >= l.Count {
					return
				}
				began := time.Now()
				if errs[i] = l.Do(c, n); errs[i] != nil {
					stop(errs[i])
					return
				}
				took[i] = append(took[i], time.Since(began))
				if l.Pause > 0 {
					time.Sleep(l.Pause)
				}
			}
		})
	}
	work.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	return all, errors.Join(errs...)
}

// Median is a sample of the medians of each figure.
func Median(all []Sample) Sample {
	return Sample{
		PerSecond: figure.MedianOf(all, func(x Sample) float64 { return x.PerSecond }),
		P50:       figure.MedianOf(all, func(x Sample) time.Duration { return x.P50 }),
		P99:       figure.MedianOf(all, func(x Sample) time.Duration { return x.P99 }),
		CPU:       figure.MedianOf(all, func(x Sample) time.Duration { return x.CPU }),
		client:    figure.MedianOf(all, func(x Sample) time.Duration { return x.client }),
	}
}
