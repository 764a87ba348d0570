// Package fair shares few places among many callers. A caller waits in the line of its key,
// such as its organization, and the lines take turns. So a key whose callers ask for a
// thousand places at once keeps the other keys waiting no longer than a key that asks for
// two.
package fair

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A Queue hands out places. It is safe for concurrent use.
type Queue struct {
	mu      sync.Mutex
	free    int
	spare   int // free places that only enterAlone takes
	active  activity
	lines   map[string]*line
	ring    []*line // the lines whose turn comes, the next line first
	waiting atomic.Int64
}

// A line is the callers that wait under one key, in the order of their arrival.
type line struct {
	key  string
	wait []chan struct{}
}

// NewQueue returns a queue for that many places, and for spare places, which a key gets
// only while there is nothing to do for any other key.
func NewQueue(places, spare int) *Queue {
	return &Queue{free: places, spare: spare, lines: map[string]*line{}}
}

// Enter waits for a place until the context ends, whose error it then returns. A caller
// that has got a place must Leave.
func (q *Queue) Enter(ctx context.Context, key string) error {
	q.mu.Lock()
	if q.free > 0 {
		q.free--
		q.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	l := q.lines[key]
	if l == nil {
		l = &line{key: key}
		q.lines[key] = l
		q.ring = append(q.ring, l)
	}
	l.wait = append(l.wait, mine)
	q.waiting.Add(1)
	q.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
		if !q.giveUp(l, mine) {
			q.Leave() // the place came at that moment
		}
		return ctx.Err()
	}
}

// enterAlone takes a spare place, if there is one and no other key has been active lately.
func (q *Queue) enterAlone(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.free > 0 || q.spare == 0 || !q.active.alone(key, time.Now()) {
		return false
	}
	q.spare--
	return true
}

// leaveSpare gives a spare place back.
func (q *Queue) leaveSpare() {
	q.mu.Lock()
	q.spare++
	q.mu.Unlock()
}

// note says that there is something to do for a key.
func (q *Queue) note(key string) {
	q.mu.Lock()
	q.active.note(key, time.Now())
	q.mu.Unlock()
}

// alone says that no other key has been active lately.
func (q *Queue) alone(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.active.alone(key, time.Now())
}

// giveUp takes a waiting caller out of its line; false if the caller has got a place.
func (q *Queue) giveUp(l *line, mine chan struct{}) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, c := range l.wait {
		if c == mine {
			l.wait = append(l.wait[:i], l.wait[i+1:]...)
			q.waiting.Add(-1)
			return true // an empty line goes when its turn comes
		}
	}
	return false
}

// Leave gives the place to the caller that is next.
func (q *Queue) Leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ring) > 0 {
		l := q.ring[0]
		q.ring = q.ring[1:]
		if len(l.wait) == 0 {
			delete(q.lines, l.key)
			continue
		}
		first := l.wait[0]
		l.wait = l.wait[1:]
		q.ring = append(q.ring, l) // also an empty line: a caller that comes meanwhile finds its turn
		q.waiting.Add(-1)
		close(first)
		return
	}
	q.free++
}

// Waiting is how many callers wait.
func (q *Queue) Waiting() int { return int(q.waiting.Load()) }
