package auth

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/orgd/orgd/internal/org"
)

func newPasswords(t testing.TB, c PasswordsConfig) *Passwords {
	t.Helper()
	if c.Cost == 0 {
		c.Cost = bcrypt.MinCost
	}
	p, err := NewPasswords(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestHashAndVerify(t *testing.T) {
	p, ctx := newPasswords(t, PasswordsConfig{Cost: 5}), t.Context()
	for _, password := range []string{"correct horse", strings.Repeat("x", 72), "pässwörd"} {
		hash, err := p.Hash(ctx, password)
		if err != nil {
			t.Fatal(err)
		}
		if cost, err := bcrypt.Cost([]byte(hash)); cost != 5 || err != nil {
			t.Errorf("the hash has cost %d, %v", cost, err)
		}
		for _, given := range []string{password, password + "x", password[:len(password)-1], "", "x", strings.ToUpper(password)} {
			same, err := p.Verify(ctx, hash, given)
			if err != nil || same != (given == password) {
				t.Errorf("Verify(hash of %q, %q) = %v, %v", password, given, same, err)
			}
		}
	}
}

func TestHashRefuses(t *testing.T) {
	for _, password := range []string{"short", strings.Repeat("x", 73), "with\x00NUL in it"} {
		hash, err := newPasswords(t, PasswordsConfig{}).Hash(t.Context(), password)
		if !errors.Is(err, org.Invalid) || hash != "" {
			t.Errorf("Hash(%q) = %q, %v", password, hash, err)
		}
		if err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("the error holds the password: %v", err)
		}
	}
}

func TestVerifyDoesNotTakeWhatBcryptConfuses(t *testing.T) {
	p, ctx := newPasswords(t, PasswordsConfig{}), t.Context()
	for _, c := range []struct{ password, confused string }{
		{strings.Repeat("x", 72), strings.Repeat("x", 72) + "y"},
		{"password", "password\x00password"},
	} {
		hash, err := p.Hash(ctx, c.password)
		if err != nil {
			t.Fatal(err)
		}
		if err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(c.confused)); err != nil {
			t.Errorf("bcrypt tells %q from %q by itself: %v", c.password, c.confused, err)
		}
		if same, err := p.Verify(ctx, hash, c.confused); same || err != nil {
			t.Errorf("Verify(hash of %q, %q) = %v, %v", c.password, c.confused, same, err)
		}
	}
}

func TestVerifyOfADamagedHash(t *testing.T) {
	p := newPasswords(t, PasswordsConfig{})
	for _, hash := range []string{"x", strings.Repeat("x", 60), "$2a$99$" + strings.Repeat("a", 53), "$9z$05$" + strings.Repeat("a", 53)} {
		same, err := p.Verify(t.Context(), hash, "password")
		var e *org.Error
		if same || !errors.As(err, &e) || e.Kind != org.Internal || e.Message != "" {
			t.Errorf("Verify(%q) = %v, %v", hash, same, err)
		}
	}
}

func TestPasswordsQueue(t *testing.T) {
	// hold occupies the only worker until release.
	setUp := func(t *testing.T, c PasswordsConfig) (p *Passwords, release func()) {
		c.Workers = 1
		p = newPasswords(t, c)
		gate := make(chan struct{})
		go p.run(context.Background(), func() { <-gate })
		synctest.Wait()
		return p, func() { close(gate); synctest.Wait() }
	}
	wantBusy := func(t *testing.T, err error) {
		t.Helper()
		var e *org.Error
		if !errors.As(err, &e) || e.Kind != org.Unavailable || e.RetryAfter < time.Second {
			t.Errorf("error = %v, want org.Unavailable with RetryAfter", err)
		}
	}
	t.Run("refuses at once who finds too many waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, release := setUp(t, PasswordsConfig{MaxWaiting: 2})
			defer release()
			for range 2 {
				go p.run(context.Background(), func() {})
			}
			synctest.Wait()
			began := time.Now()
			wantBusy(t, p.run(t.Context(), func() { t.Error("it ran") }))
			if d := time.Since(began); d != 0 {
				t.Errorf("after %v", d)
			}
		})
	})
	t.Run("refuses at once who would wait too long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, release := setUp(t, PasswordsConfig{MaxWait: 3 * time.Second})
			defer release()
			p.note(2 * time.Second)
			go p.run(context.Background(), func() {})
			synctest.Wait()
			wantBusy(t, p.run(t.Context(), func() { t.Error("it ran") }))
		})
	})
	t.Run("refuses who has waited too long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, release := setUp(t, PasswordsConfig{MaxWait: 3 * time.Second})
			defer release()
			began := time.Now()
			wantBusy(t, p.run(t.Context(), func() { t.Error("it ran") }))
			if d := time.Since(began); d != 3*time.Second {
				t.Errorf("after %v", d)
			}
		})
	})
	t.Run("lets go of who gives up, and gives the place to another", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, release := setUp(t, PasswordsConfig{MaxWaiting: 1})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := p.run(ctx, func() { t.Error("it ran") }); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error = %v", err)
			}
			ran := make(chan error, 1)
			go func() { ran <- p.run(context.Background(), func() {}) }()
			synctest.Wait()
			release()
			if err := <-ran; err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("does not keep a caller whose job has begun", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPasswords(t, PasswordsConfig{Workers: 1})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := p.run(ctx, func() { time.Sleep(time.Minute) })
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error = %v", err)
			}
		})
	})
	t.Run("serves in order of arrival", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, release := setUp(t, PasswordsConfig{})
			var order []int
			for i := range 10 {
				go p.run(context.Background(), func() { order = append(order, i) })
				synctest.Wait()
			}
			release()
			if !slices.IsSorted(order) || len(order) != 10 {
				t.Errorf("order %v", order)
			}
		})
	})
	t.Run("Close refuses who waits and who comes later, and lets the running one end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, release := setUp(t, PasswordsConfig{})
			waiting := make(chan error, 1)
			go func() { waiting <- p.run(context.Background(), func() { t.Error("it ran") }) }()
			synctest.Wait()
			closed := make(chan struct{})
			go func() { p.Close(); close(closed) }()
			if err := <-waiting; !errors.Is(err, org.Unavailable) {
				t.Errorf("the waiting one got %v", err)
			}
			if _, err := p.Verify(t.Context(), "", "password"); !errors.Is(err, org.Unavailable) {
				t.Errorf("the later one got %v", err)
			}
			select {
			case <-closed:
				t.Error("Close returned before the worker")
			default:
			}
			release()
			<-closed
			p.Close()
		})
	})
}

func TestNewPasswordsRefusesABadCost(t *testing.T) {
	for _, cost := range []int{-1, 3, 32} {
		if _, err := NewPasswords(PasswordsConfig{Cost: cost}); err == nil {
			t.Errorf("cost %d is accepted", cost)
		}
	}
}

func TestRaiseMaxProcs(t *testing.T) {
	t.Cleanup(runtime.SetDefaultGOMAXPROCS)
	t.Run("leaves requests as many processors as there are", func(t *testing.T) {
		t.Setenv("GOMAXPROCS", "")
		first, procs := RaiseMaxProcs(), runtime.GOMAXPROCS(0)
		if first < 1 || (procs <= first && procs > 1) {
			t.Errorf("%d workers, GOMAXPROCS %d", first, procs)
		}
		if again := RaiseMaxProcs(); again != first || runtime.GOMAXPROCS(0) != procs {
			t.Errorf("the second call: %d workers, GOMAXPROCS %d, after %d and %d", again, runtime.GOMAXPROCS(0), first, procs)
		}
	})
	t.Run("respects what the user has set", func(t *testing.T) {
		t.Setenv("GOMAXPROCS", "3")
		runtime.GOMAXPROCS(3)
		if workers := RaiseMaxProcs(); workers != 2 || runtime.GOMAXPROCS(0) != 3 {
			t.Errorf("%d workers, GOMAXPROCS %d", workers, runtime.GOMAXPROCS(0))
		}
	})
}
