package master

import "sync/atomic"

// Changes counts the changes that this process makes to organizations. On an exclusive engine, where no
// other process makes changes, it saves readers the second reading of the organization: if no change
// was in progress when a read began, and none has begun since, the organization has not changed. Every
// change counts: a flip, a suspension and a deletion all end what a reader relies on.
type Changes struct{ begun, ended atomic.Uint64 }

// Begin counts a change before it is sent to the storage; the caller calls end after it.
func (c *Changes) Begin() (end func()) {
	if c == nil {
		return func() {}
	}
	c.begun.Add(1)
	return func() { c.ended.Add(1) }
}

// Calm returns a mark, and whether no change is in progress.
func (c *Changes) Calm() (mark uint64, ok bool) {
	ended := c.ended.Load() // first: a change that begins and ends between is then counted as under way
	mark = c.begun.Load()
	return mark, mark == ended
}

// Since reports whether a change has begun since the mark.
func (c *Changes) Since(mark uint64) bool { return c.begun.Load() != mark }
