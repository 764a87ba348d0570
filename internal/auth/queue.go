package auth

import (
	"net/netip"
	"sync"
	"time"
)

// A job is a hash to compute.
type job struct {
	do       func()
	standing Standing
	path     []netip.Prefix
	done     chan struct{}
	err      error // why it was refused; good once done is closed
}

func newJob(c Client, do func()) *job {
	return &job{do: do, standing: c.Standing, path: networksOf(c.Address), done: make(chan struct{})}
}

// A queue decides which job is next, so that the many jobs of one network are not in the way of
// the single job of another. Each standing has a lane; in each lane networks take turns, and the
// networks within them.
type queue struct {
	workers    int
	maxWaiting int
	maxWait    time.Duration

	mu      sync.Mutex
	added   sync.Cond
	closed  bool
	lanes   [standings]class
	turn    int
	running [standings]int
}

func newQueue(c PasswordsConfig) *queue {
	q := &queue{workers: c.Workers, maxWaiting: c.MaxWaiting, maxWait: c.MaxWait}
	q.added.L = &q.mu
	return q
}

// shares says which lane comes first in each of four turns, if a job waits in it; else it is the
// first lane in which a job waits. So known clients have half of all turns at least, and can
// never take them all.
var shares = [...]Standing{Known, Stranger, Known, Suspect}

// maxSuspects is how many jobs of Suspects are worked on at a time: it bounds what they learn,
// however many networks guess, and however idle the machine is.
const maxSuspects = 1

// add has a job wait, unless it would have to wait for too long. Of too many jobs, the last of
// the network where most wait is refused. each is how long a job lasts.
func (q *queue) add(j *job, each time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return closing()
	}
	lane := &q.lanes[j.standing]
	before := lane.ahead(j.path) + q.busy() + 1 - q.workers
	if wait := time.Duration(before) * each / time.Duration(q.workers); wait > q.maxWait {
		return busy(wait)
	}
	lane.add(j, j.path)
	if q.waiting() > q.maxWaiting+q.workers-q.busy() {
		q.refuse(each)
	}
	q.added.Signal()
	return nil
}

// refuse makes room for a job.
func (q *queue) refuse(each time.Duration) {
	lanes := make([]*class, 0, standings)
	for i := range q.lanes {
		lanes = append(lanes, &q.lanes[i])
	}
	j := mostWaiting(lanes).last()
	q.lanes[j.standing].remove(j, j.path)
	j.err = busy(time.Duration(q.maxWaiting) * each / time.Duration(q.workers))
	close(j.done)
}

// remove takes out a job whose caller has stopped to wait; false if it is not waiting.
func (q *queue) remove(j *job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lanes[j.standing].remove(j, j.path)
}

// next waits for a job to work on; nil when the queue is closed.
func (q *queue) next() *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed {
		if lane := q.choose(); lane >= 0 {
			q.running[lane]++
			return q.lanes[lane].next()
		}
		q.added.Wait()
	}
	return nil
}

// choose returns a lane with a job that may begin, or -1.
func (q *queue) choose() Standing {
	may := func(s Standing) bool {
		return q.lanes[s].waiting > 0 && (s != Suspect || q.running[s] < maxSuspects)
	}
	first := shares[q.turn%len(shares)]
	if may(first) {
		q.turn++
		return first
	}
	for s := range standings {
		if may(s) {
			q.turn++
			return s
		}
	}
	return -1
}

// end says that a job that next returned is done.
func (q *queue) end(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running[j.standing]--
	close(j.done)
}

// close refuses the jobs that wait and those that come.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for i := range q.lanes {
		for q.lanes[i].waiting > 0 {
			j := q.lanes[i].next()
			j.err = closing()
			close(j.done)
		}
	}
	q.added.Broadcast()
}

func (q *queue) waiting() (n int) {
	for i := range q.lanes {
		n += q.lanes[i].waiting
	}
	return n
}

// busy is how many jobs are being worked on.
func (q *queue) busy() (n int) {
	for _, r := range q.running {
		n += r
	}
	return n
}
