package auth

import (
	"cmp"
	"net/netip"
	"slices"
)

// A class is the jobs that wait for a network, and those of the networks in it, which
// take turns. It never holds more than a queue does, so that it is searched from end to end.
type class struct {
	network netip.Prefix
	waiting int
	turns   []*class // the networks in it for which jobs wait, the one whose turn it is in front
	jobs    []*job   // of the narrowest network, in the order of their arrival
}

// add puts a job last in its class: path leads from this one to it.
func (c *class) add(j *job, path []netip.Prefix) {
	c.waiting++
	if len(path) == 0 {
		c.jobs = append(c.jobs, j)
		return
	}
	i := c.find(path[0])
	if i < 0 {
		i = len(c.turns)
		c.turns = append(c.turns, &class{network: path[0]})
	}
	c.turns[i].add(j, path[1:])
}

func (c *class) find(network netip.Prefix) int {
	return slices.IndexFunc(c.turns, func(o *class) bool { return o.network == network })
}

// next takes out the job whose turn it is. There must be a job.
func (c *class) next() (j *job) {
	c.waiting--
	if len(c.turns) == 0 {
		j = c.jobs[0]
		c.jobs = slices.Delete(c.jobs, 0, 1)
		return j
	}
	first := c.turns[0]
	j = first.next()
	c.turns = slices.Delete(c.turns, 0, 1)
	if first.waiting > 0 {
		c.turns = append(c.turns, first)
	}
	return j
}

// remove takes out a job that waits, and reports whether it did.
func (c *class) remove(j *job, path []netip.Prefix) bool {
	if len(path) == 0 {
		i := slices.Index(c.jobs, j)
		if i < 0 {
			return false
		}
		c.jobs = slices.Delete(c.jobs, i, i+1)
		c.waiting--
		return true
	}
	i := c.find(path[0])
	if i < 0 || !c.turns[i].remove(j, path[1:]) {
		return false
	}
	if c.turns[i].waiting == 0 {
		c.turns = slices.Delete(c.turns, i, i+1)
	}
	c.waiting--
	return true
}

// last is the job that came last where most wait: it is refused when there are too many. There
// must be a job.
func (c *class) last() *job {
	if len(c.turns) == 0 {
		return c.jobs[len(c.jobs)-1]
	}
	return mostWaiting(c.turns).last()
}

func mostWaiting(all []*class) *class {
	return slices.MaxFunc(all, func(a, b *class) int { return cmp.Compare(a.waiting, b.waiting) })
}

// ahead is how many jobs would be done before a job that came now, if none came after it.
func (c *class) ahead(path []netip.Prefix) int {
	if len(path) == 0 {
		return len(c.jobs)
	}
	own, at := 0, c.find(path[0])
	if at >= 0 {
		own = c.turns[at].ahead(path[1:])
	} else {
		at = len(c.turns)
	}
	n := own
	for i, other := range c.turns {
		switch {
		case i < at:
			n += min(other.waiting, own+1)
		case i > at:
			n += min(other.waiting, own)
		}
	}
	return n
}
