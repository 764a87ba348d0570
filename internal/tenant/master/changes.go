package master

import "sync/atomic"

// Changes counts the changes that this process makes to organizations. On an exclusive
// engine, where there are no others, it spares readers their second look at the
// organization: where no change was under way when they began, and none has begun since,
// there was none between. Every change counts, whatever it is of: a flip, a suspension and
// a deletion alike take away what a reader relies on.
type Changes struct{ begun, ended atomic.Uint64 }

// Begin counts a change in, before the storage hears of it, and returns what counts it out.
func (c *Changes) Begin() (end func()) {
	if c == nil {
		return func() {}
	}
	c.begun.Add(1)
	return func() { c.ended.Add(1) }
}

// Calm returns a mark, and whether no change is under way.
func (c *Changes) Calm() (mark uint64, ok bool) {
	ended := c.ended.Load() // first: a change that begins and ends between is then counted as under way
	mark = c.begun.Load()
	return mark, mark == ended
}

// Since reports whether a change has begun since the mark.
func (c *Changes) Since(mark uint64) bool { return c.begun.Load() != mark }
