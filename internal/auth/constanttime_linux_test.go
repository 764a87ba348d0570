package auth

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// It compares processor time, which does not depend on what else the machine does.
// Without the rule the times differ by a factor of 8 at least.
func TestVerifyTakesTheSameTime(t *testing.T) {
	p := newPasswords(t, PasswordsConfig{Cost: 7, Workers: 1})
	hashAt := func(cost int) string {
		h, err := bcrypt.GenerateFromPassword([]byte("password"), cost)
		if err != nil {
			t.Fatal(err)
		}
		return string(h)
	}
	took := func(hash, password string) time.Duration {
		var times []time.Duration
		for range 3 {
			began := processorTime(t)
			if _, err := p.Verify(t.Context(), hash, password); err != nil {
				t.Fatal(err)
			}
			times = append(times, processorTime(t)-began)
		}
		return slices.Min(times)
	}
	hash, cheap := hashAt(7), hashAt(4)
	want := took(hash, "password")
	for name, got := range map[string]time.Duration{
		"a wrong password":                    took(hash, "wrong password"),
		"no account":                          took("", "password"),
		"a password that is too long":         took(hash, strings.Repeat("x", 1000)),
		"a password that is too short":        took(hash, ""),
		"no account and a short password":     took("", ""),
		"a hash of lower cost":                took(cheap, "password"),
		"a hash of lower cost and a wrong pw": took(cheap, "wrong password"),
	} {
		if got < want/2 || got > want*2 {
			t.Errorf("%s takes %v, the right password %v", name, got, want)
		}
	}
}

// processorTime is what this process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
