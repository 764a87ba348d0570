package fair

import "time"

// lately is for how long a key counts as active after its last request began.
const lately = 100 * time.Millisecond

// activity knows the last two keys for which something was to be done.
type activity struct{ last, before event }

type event struct {
	key string
	at  time.Time
}

// note says that there is something to do for a key.
func (a *activity) note(key string, now time.Time) {
	if key != a.last.key {
		a.before = a.last
	}
	a.last = event{key, now}
}

// alone reports whether there has been nothing to do lately for any other key.
func (a *activity) alone(key string, now time.Time) bool {
	other := a.last
	if other.key == key {
		other = a.before
	}
	return now.Sub(other.at) > lately
}
