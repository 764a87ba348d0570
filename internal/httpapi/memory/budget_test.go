package memory

import (
	"errors"
	"fmt"
	"sync"
	"testing"
)

func holdOf(b *Budget, holder string) *Hold {
	h := new(Hold)
	h.Begin(b, holder)
	return h
}

func TestShares(t *testing.T) {
	const all = 1 << 30
	b := NewBudget(all)
	acme, globex, stranger := holdOf(b, "acme"), holdOf(b, "globex"), holdOf(b, Strangers)
	for _, c := range []struct {
		what  string
		hold  *Hold
		bytes int
		ok    bool
	}{
		{"an organization has no more than a quarter", acme, all/4 + 1, false},
		{"but all of that", acme, all / 4, true},
		{"its requests share it", holdOf(b, "acme"), allowance + 1, false},
		{"small ones need none", holdOf(b, "acme"), allowance, true},
		{"another has its own", globex, all / 4, true},
		{"strangers have an eighth", stranger, all/8 + 1, false},
		{"no more", stranger, all / 8, true},
		{"among all of them", holdOf(b, Strangers), allowance + 1, false},
	} {
		if err := c.hold.Take(c.bytes); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrExhausted) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if used := b.Used(); used != all/4+all/4+all/8 {
		t.Errorf("%d bytes are taken", used)
	}
	for _, h := range []*Hold{acme, globex, stranger} {
		h.End()
	}
	if b.Used() != 0 || len(b.has) != 0 {
		t.Errorf("%d bytes stay taken, by %v", b.Used(), b.has)
	}
}

// However many holders want all they can get, a later one can have a third of what they have.
func TestSomethingIsLeftForLaterHolders(t *testing.T) {
	const all = 256 << 20
	for _, greedy := range []int{1, 4, 10, 100} {
		b := NewBudget(all)
		for step := 1 << 20; step >= 1<<10; step /= 2 {
			for range all / step / greedy {
				for i := range greedy {
					h := holdOf(b, fmt.Sprint(i))
					_ = h.Take(step + allowance)
				}
			}
		}
		most := 0
		for _, has := range b.has {
			most = max(most, has)
		}
		if late := holdOf(b, "late"); late.Take(most/3) != nil {
			t.Errorf("of %d greedy ones one has %d bytes, %d are taken in all, and nothing is left", greedy, most, b.Used())
		}
		if b.Used() > all {
			t.Errorf("%d bytes are taken of %d", b.Used(), all)
		}
	}
}

func TestTheLargestRequestFits(t *testing.T) {
	for _, mib := range []int{200, 256, 4096} {
		h := holdOf(NewBudget(mib<<20), "acme")
		if err := h.Take(LargestRequest); err != nil {
			t.Errorf("of %d MiB: %v", mib, err)
		}
	}
}

func TestWhatIsKeptIsNotTakenAgain(t *testing.T) {
	b := NewBudget(512 << 20)
	h, other := holdOf(b, "acme"), holdOf(b, "acme")
	if err := h.Keep(1 << 20); err != nil {
		t.Fatal(err)
	}
	for other.Take(64<<10) == nil { // all the rest
	}
	if err := h.Take(1 << 20); err != nil {
		t.Errorf("what is kept is not there: %v", err)
	}
	if h.Take(64<<10) == nil {
		t.Error("there was more than all")
	}
	h.Give(1 << 20)
	if other.Take(64<<10) == nil {
		t.Error("what is kept was given away")
	}
	h.End()
	if err := other.Take(64 << 10); err != nil {
		t.Errorf("after the end nothing is kept: %v", err)
	}
	if err := h.Take(1 << 40); err != nil || b.Used() != other.taken {
		t.Errorf("after its end it takes something: %v, %d", err, b.Used())
	}
}

func TestABudgetIsNotExceededByMany(t *testing.T) {
	b := NewBudget(0)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for n := range 1000 {
				h := holdOf(b, fmt.Sprint(i%5))
				var took []int
				for k := 1; h.Take(k<<20) == nil && k < 20; k++ {
					took = append(took, k<<20)
				}
				if used := b.Used(); used > DefaultSize {
					t.Errorf("%d bytes are taken", used)
				}
				for _, bytes := range took {
					h.Give(bytes)
				}
				if n%2 == 0 {
					h.End()
				}
			}
		})
	}
	all.Wait()
	if b.Used() != 0 {
		t.Errorf("%d bytes stay taken", b.Used())
	}
}
