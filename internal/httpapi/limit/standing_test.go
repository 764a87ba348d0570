package limit

import (
	"fmt"
	"testing"
	"time"
)

// Where guesses come from everywhere, strangers are suspects, until it is over; known clients
// are not.
func TestGuessesFromEverywhereMakeSuspects(t *testing.T) {
	c := &clock{}
	l := NewLogins(1, c.now)
	standings := func(email, address string) string {
		a, err := l.Begin(address, nil, email)
		if err != nil {
			return "refused"
		}
		return []string{"known", "stranger", "suspect"}[a.Standing]
	}
	a, err := l.Begin("192.0.2.1", nil, "ada@x.example")
	if err != nil {
		t.Fatal(err)
	}
	a.End(nil)
	for i := range guessers {
		if got := standings("ADA@x.example", fmt.Sprintf("10.%d.0.1", i)); got != "stranger" {
			t.Fatalf("guess %d: %s", i, got)
		}
	}
	for address, want := range map[string]string{"10.99.0.1": "suspect", "192.0.2.1": "known"} {
		if got := standings("ada@x.example", address); got != want {
			t.Errorf("%s is %s, want %s", address, got, want)
		}
	}
	if got := standings("ada@x.example", "10.99.0.2"); got != "refused" {
		t.Errorf("the network that has guessed: %s", got)
	}
	if got := standings("bob@x.example", "10.99.1.1"); got != "stranger" {
		t.Errorf("another's login is %s", got)
	}
	c.advance(time.Minute)
	if got := standings("ada@x.example", "10.98.0.1"); got != "stranger" {
		t.Errorf("when it is over: %s", got)
	}
}

func TestFamiliarIsBounded(t *testing.T) {
	f := newFamiliar()
	f.add("ada", "home")
	for i := range 10 * familiarNetworks { // an account with many networks
		f.add("mallory", fmt.Sprint(i))
	}
	if !f.has("ada", "home") || f.has("ada", "1") || f.has("mallory", "0") || !f.has("mallory", fmt.Sprint(10*familiarNetworks-1)) {
		t.Error("it has forgotten the wrong ones")
	}
	for i := range 3 * familiarEmails {
		f.add(fmt.Sprint(i), "there")
		if n := len(f.current) + len(f.previous); n > 2*familiarEmails {
			t.Fatalf("%d are remembered", n)
		}
	}
	if f.has("ada", "home") {
		t.Error("it forgets nothing")
	}
}
