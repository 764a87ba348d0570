package tenant

import "sync/atomic"

// flips counts the cut-overs of this process. On an exclusive engine, where there are
// no others, it spares readers their second look at the organization: where no flip
// was under way when they began, and none has begun since, there was none between.
type flips struct{ begun, ended atomic.Uint64 }

// during runs a flip.
func (f *flips) during(flip func() error) error {
	f.begun.Add(1)
	defer f.ended.Add(1)
	return flip()
}

// calm returns a mark, and whether no flip is under way.
func (f *flips) calm() (mark uint64, ok bool) {
	ended := f.ended.Load() // first: a flip that begins and ends between is then counted as under way
	mark = f.begun.Load()
	return mark, mark == ended
}

// since reports whether a flip has begun since the mark.
func (f *flips) since(mark uint64) bool { return f.begun.Load() != mark }
