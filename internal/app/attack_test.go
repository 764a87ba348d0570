package app_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// An attack is clients that log in with a wrong password, each again and again.
type attack struct {
	clients int
	email   func() string
	address func() string
}

// launch begins an attack, and returns when it is at its height. end stops it, and
// returns how long an answer took that was the answer to a password.
func (w *world) launch(a attack) (end func() []time.Duration) {
	ctx, stop := context.WithCancel(w.t.Context())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: a.clients}}
	var (
		all    sync.WaitGroup
		mu     sync.Mutex
		took   []time.Duration
		height = make(chan struct{}, a.clients)
	)
	for range a.clients {
		all.Go(func() {
			for first := true; ctx.Err() == nil; first = false {
				began := time.Now()
				status := guess(ctx, client, w.URL, a.email(), a.address())
				if mu.Lock(); status == 401 {
					took = append(took, time.Since(began))
				}
				mu.Unlock()
				if first {
					height <- struct{}{}
				}
			}
		})
	}
	for range a.clients / 2 {
		<-height
	}
	return func() []time.Duration {
		stop()
		all.Wait()
		client.CloseIdleConnections()
		slices.Sort(took)
		return took
	}
}

func guess(ctx context.Context, client *http.Client, url, email, address string) int {
	req, err := http.NewRequestWithContext(ctx, "POST", url+"/admin/login", strings.NewReader(object("email", email, "password", "a wrong guess")))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Forwarded-For", address)
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// rightLogins logs in 25 times, and returns how long each took, in the order of that.
func (w *world) rightLogins(acc account, address func(i int) string) (took []time.Duration) {
	w.t.Helper()
	for i := range 25 {
		began := time.Now()
		w.do("POST", "/admin/login", object("email", acc.email, "password", password), "X-Forwarded-For: "+address(i)).is(200)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took
}

// Guesses for an e-mail address from one network delay no login from elsewhere, whether the
// admin was seen there before or not.
func TestLoginsBesideGuessesFromOneNetwork(t *testing.T) {
	w := start(t, "RATE_LIMIT_LOGIN=60", "TRUSTED_PROXIES=127.0.0.0/8", "BCRYPT_COST=4")
	acc := w.account("Acme")
	end := w.launch(attack{clients: 16, email: func() string { return acc.email }, address: func() string { return "198.51.100.7" }})
	known := w.rightLogins(acc, func(int) string { return "192.0.2.1" })
	fresh := w.rightLogins(acc, func(i int) string { return fmt.Sprintf("203.0.113.%d", i) })
	t.Logf("right logins took %v at most from the same place, %v from new ones", known[len(known)-1], fresh[len(fresh)-1])
	if guesses := len(end()); guesses < 8 || guesses > 300 {
		t.Errorf("%d guesses were answered, want 60 at once at most and one a second after that", guesses)
	}
}

// Logins from a fresh network each, all for as many e-mail addresses, fill the queue for a
// password's check. A right login does not wait behind them. How long that takes depends
// on the machine; that it is far less than what a guess waits does not.
func TestLoginsBesideAFloodFromManyNetworks(t *testing.T) {
	for name, network := range map[string]string{"of one provider": "2001:db8:%x:%x::1", "of all": "2%03x:%x::1"} {
		t.Run(name, func(t *testing.T) {
			w := start(t, "RATE_LIMIT_LOGIN=60", "TRUSTED_PROXIES=127.0.0.0/8", "BCRYPT_COST=5")
			acc := w.account("Acme")
			end := w.launch(attack{clients: 120, email: newEmail, address: func() string {
				return fmt.Sprintf(network, rand.N(0x1000), rand.N(0x10000))
			}})
			rights := w.rightLogins(acc, func(i int) string { return fmt.Sprintf("203.0.113.%d", i) })
			took := end()
			right, guess := rights[len(rights)/2], took[len(took)/2] // of the slowest a busy machine may be the cause
			t.Logf("half of the right logins took %v at most, half of %d guesses %v or more", right, len(took), guess)
			if right > guess/2 {
				t.Errorf("a right login took %v, a guess %v", right, guess)
			}
		})
	}
}
