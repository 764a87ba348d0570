package auth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orgd/orgd/internal/org"
)

// from is a client's context.
func from(address string, s Standing) context.Context {
	return WithClient(context.Background(), Client{Address: netip.MustParseAddr(address), Standing: s})
}

// A line is a Passwords whose only worker is held up, and the order of the jobs after that.
type line struct {
	*Passwords
	t     *testing.T
	gate  chan struct{}
	order []string

	mu   sync.Mutex
	errs map[string]error
}

func newLine(t *testing.T, c PasswordsConfig) *line {
	c.Workers = 1
	l := &line{Passwords: newPasswords(t, c), t: t, gate: make(chan struct{}), errs: map[string]error{}}
	go l.run(context.Background(), func() { <-l.gate })
	synctest.Wait()
	return l
}

// come has a job wait.
func (l *line) come(name, address string, s Standing) {
	go func() {
		err := l.run(from(address, s), func() { l.order = append(l.order, name) })
		l.mu.Lock()
		defer l.mu.Unlock()
		l.errs[name] = err
	}()
	synctest.Wait()
}

// done lets the worker go on, and returns the clients of the jobs that it did, in their order.
func (l *line) done() string {
	close(l.gate)
	synctest.Wait()
	return strings.Join(l.order, " ")
}

func TestNetworksTakeTurns(t *testing.T) {
	for name, c := range map[string]struct{ flood, other, third string }{
		"a fresh /64 for each":      {"2001:db8:%x:%x::1", "2001:db9::1", "192.0.2.1"},
		"a /48 in the same /32":     {"2001:db8:7:%[2]x::%[1]x", "2001:db8:8::1", "2001:db8:9::1"},
		"a /64 in the same /48":     {"2001:db8:7:1:%x::%x", "2001:db8:7:2::1", "2001:db8:7:3::1"},
		"addresses of an IPv4 /16":  {"10.1.%d.%d", "10.2.0.1", "10.3.0.1"},
		"addresses of an IPv4 /24":  {"10.1.1.%[2]d", "10.1.2.1", "10.1.3.1"},
		"IPv4 in the guise of IPv6": {"::ffff:10.1.%d.%d", "10.2.0.1", "2001:db8::1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLine(t, PasswordsConfig{})
				for i := range 200 {
					l.come("x", fmt.Sprintf(c.flood, i/100, i), Stranger)
				}
				l.come("B", c.other, Stranger)
				l.come("C", c.third, Stranger)
				if got := l.done(); strings.Index(got, "B") > 4 || strings.Index(got, "C") > 8 || len(l.order) != 202 {
					t.Errorf("%.40s…", got)
				}
			})
		})
	}
}

// Every address is a network of its own, each from another provider: only known clients
// can be told from them.
func TestKnownClientsComeFirstAndNeverAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, PasswordsConfig{})
		for i := range 8 {
			l.come("s", fmt.Sprintf("%d.1.1.1", 10+i), Suspect)
			l.come("x", fmt.Sprintf("%d.1.1.1", 30+i), Stranger)
		}
		for i := range 8 {
			l.come("K", fmt.Sprintf("%d.1.1.1", 50+i), Known)
		}
		if got, want := l.done(), "x K s K x K s K"; !strings.HasPrefix(got, want) { // the gate was a stranger's
			t.Errorf("order %s, want %s…", got, want)
		}
	})
}

func TestOneSuspectIsWorkedOnAtATime(t *testing.T) {
	p := newPasswords(t, PasswordsConfig{Workers: 3})
	var now, most, done atomic.Int64
	ended := make(chan error)
	for i := range 12 {
		go func() {
			ended <- p.run(from(fmt.Sprintf("10.%d.0.1", i), Suspect), func() {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(2 * time.Millisecond)
				now.Add(-1)
				done.Add(1)
			})
		}()
	}
	for range 12 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if most.Load() != maxSuspects || done.Load() != 12 {
		t.Errorf("%d at a time, %d done", most.Load(), done.Load())
	}
}

// Of too many jobs, those of the networks that have too many are refused.
func TestAFloodOverflowsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t, PasswordsConfig{MaxWaiting: 20})
		for i := range 20 {
			l.come(fmt.Sprint("x", i), fmt.Sprintf("2001:db8:1:%x::1", i), Stranger)
		}
		l.come("B", "192.0.2.1", Stranger)
		l.come("K", "2001:db8:1:5::1", Known)
		l.come("y", "2001:db8:2::1", Stranger)
		if n := l.queue.waiting(); n != 20 {
			t.Errorf("%d wait", n)
		}
		got := l.done()
		for _, who := range []string{"B", "K", "y"} {
			if !strings.Contains(got, who) || l.errs[who] != nil {
				t.Errorf("%s: %v; order %s", who, l.errs[who], got)
			}
		}
		refused := 0
		for who, err := range l.errs {
			var e *org.Error
			if errors.As(err, &e) && e.Kind == org.Unavailable && e.RetryAfter >= time.Second && strings.HasPrefix(who, "x") {
				refused++
			}
		}
		if refused != 3 || len(l.order) != 20 {
			t.Errorf("%d of the flood refused; order %s", refused, got)
		}
	})
}

// What a job is told at its arrival of those before it is what happens if no job comes
// after it; and what has been taken out leaves nothing behind.
func TestAheadIsWhatComesBefore(t *testing.T) {
	address := func(r *rand.Rand) netip.Addr {
		return netip.MustParseAddr(fmt.Sprintf("%d.%d.%d.%d", 1+r.IntN(2), r.IntN(2), r.IntN(2), r.IntN(2)))
	}
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		c, all := &class{}, []*job{}
		for range r.IntN(40) {
			switch j := newJob(Client{Address: address(r)}, nil); {
			case len(all) > 0 && r.IntN(4) == 0:
				i := r.IntN(len(all))
				if !c.remove(all[i], all[i].path) || c.remove(all[i], all[i].path) {
					t.Fatalf("seed %d: a job is not taken out once", seed)
				}
				all = slices.Delete(all, i, i+1)
			case len(all) > 0 && r.IntN(4) == 0:
				next := c.next()
				all = slices.DeleteFunc(all, func(o *job) bool { return o == next })
			default:
				c.add(j, j.path)
				all = append(all, j)
			}
		}
		j := newJob(Client{Address: address(r)}, nil)
		told := c.ahead(j.path)
		c.add(j, j.path)
		at := 0
		for c.next() != j {
			at++
		}
		if told != at || c.waiting != len(all)-at {
			t.Fatalf("seed %d: told %d, and %d came before; %d of %d wait", seed, told, at, c.waiting, len(all))
		}
		for c.waiting > 0 {
			c.next()
		}
		if len(c.turns) != 0 {
			t.Fatalf("seed %d: %d networks are left", seed, len(c.turns))
		}
	}
}
