package auth

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// BenchmarkLoginStorm measures cheap requests over loopback, four clients every two
// milliseconds each, while sixteen others log in without pause: the 99th percentile
// (p99-µs) and the hashes a second. "unprotected" computes the hashes in the request.
//
//	go test -run - -bench LoginStorm -benchtime 10000x ./internal/auth
func BenchmarkLoginStorm(b *testing.B) {
	const cost = 10
	hash, err := bcrypt.GenerateFromPassword([]byte("password"), cost)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("quiet", func(b *testing.B) { benchmarkGets(b, nil) })
	b.Run("storm", func(b *testing.B) {
		b.Cleanup(runtime.SetDefaultGOMAXPROCS)
		p := newPasswords(b, PasswordsConfig{Cost: cost, Workers: RaiseMaxProcs()})
		benchmarkGets(b, func() error {
			_, err := p.Verify(b.Context(), string(hash), "password")
			return err
		})
	})
	b.Run("unprotected", func(b *testing.B) {
		benchmarkGets(b, func() error { return bcrypt.CompareHashAndPassword(hash, []byte("password")) })
	})
}

// benchmarkGets makes b.N requests, while login is called over and over.
func benchmarkGets(b *testing.B, login func() error) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer server.Close()
	var (
		storm, clients sync.WaitGroup
		stop           atomic.Bool
		hashes, gets   atomic.Int64
		latencies      [4][]time.Duration
	)
	for range 16 {
		storm.Go(func() {
			for login != nil && !stop.Load() {
				if err := login(); err != nil {
					b.Error(err)
				}
				hashes.Add(1)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	hashes.Store(0)
	b.ResetTimer()
	for i := range latencies {
		clients.Go(func() {
			for gets.Add(1) <= int64(b.N) {
				latencies[i] = append(latencies[i], get(b, server))
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	clients.Wait()
	b.StopTimer()
	b.ReportMetric(float64(hashes.Load())/b.Elapsed().Seconds(), "hashes/s")
	stop.Store(true)
	storm.Wait()
	all := slices.Concat(latencies[:]...)
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
}

func get(b *testing.B, server *httptest.Server) time.Duration {
	began := time.Now()
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		b.Error(err)
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return time.Since(began)
}
