package orgd

// A CreateOption is a setting of one call that creates something.
type CreateOption func(*create)

type create struct{ key *string }

// WithIdempotencyKey names the request, so that it is carried out once however
// often it is sent within 24 hours: who sends it again gets the first one's
// answer. The key is a random text of 1 to 255 visible ASCII characters, such as a
// UUID, and belongs to that one request: with another it is
// [ErrIdempotencyKeyReused].
//
// The client draws a key for every call by itself, and uses it for its own
// retries. One of your own serves to go on where a program that was stopped left
// off: store the key before the call.
func WithIdempotencyKey(key string) CreateOption {
	return func(c *create) { c.key = &key }
}

// keyOf returns the key of a call, nil if the client is to draw one.
func keyOf(opts []CreateOption) *string {
	var c create
	for _, o := range opts {
		o(&c)
	}
	return c.key
}
