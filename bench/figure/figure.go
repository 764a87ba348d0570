// Package figure computes medians and quantiles, and writes numbers as the tables of the
// benchmarks show them.
package figure

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Median is that of values, of which there is at least one.
func Median[T ~int64 | ~float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// MedianOf is the median of one figure of all samples.
func MedianOf[S any, T ~int64 | ~float64](all []S, figure func(S) T) T {
	var values []T
	for _, x := range all {
		values = append(values, figure(x))
	}
	return Median(values)
}

// MedianRatio is the median of the ratios that a figure has in each round, where as[i]
// and bs[i] were measured.
func MedianRatio[S any, T ~int64 | ~float64](as, bs []S, figure func(S) T) float64 {
	var ratios []float64
	for i := range as {
		ratios = append(ratios, float64(figure(as[i]))/float64(figure(bs[i])))
	}
	return Median(ratios)
}

// Quantile is that of sorted values by the nearest rank: at least the share q of the
// values is not above it. It is 0 where there are none.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

// Percent is a ratio as a whole number of percent.
func Percent(ratio float64) string { return fmt.Sprintf("%.0f %%", 100*ratio) }

// Short is a duration with three digits.
func Short(d time.Duration) string {
	switch {
	case d < 100*time.Microsecond:
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// Thousands is a number with its thousands apart, or with one decimal if it is small.
func Thousands(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.1f", v)
	}
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// MiB is how many MiB a number of bytes is.
func MiB(bytes int64) float64 { return float64(bytes) / (1 << 20) }
