package beside_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/orgd/orgd/internal/tenant/beside"
)

func TestAllGoOnAtTheSameTime(t *testing.T) {
	a, b := make(chan struct{}), make(chan struct{})
	wrong := errors.New("wrong")
	err := beside.All(
		func() error { close(a); <-b; return nil },
		func() error { close(b); <-a; return wrong },
	)
	if !errors.Is(err, wrong) {
		t.Errorf("%v", err)
	}
}

func TestAPanicGoesOnInTheCaller(t *testing.T) {
	done := false
	defer func() {
		if p, ok := recover().(string); !ok || !strings.HasPrefix(p, "here") || !done {
			t.Errorf("%v; the other function is done: %t", p, done)
		}
	}()
	_ = beside.All(func() error { panic("here") }, func() error { done = true; return nil })
}
