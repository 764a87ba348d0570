package meter

import "context"

// Room decides whether there is memory for so many bytes more, and takes it if there is. With
// it a caller bounds what a read takes, of which only the engine knows the size beforehand.
// Its error becomes that of the read.
type Room func(bytes int) error

type roomKey struct{}

// WithRoom returns a context for reads that ask for room.
func WithRoom(ctx context.Context, room Room) context.Context {
	return context.WithValue(ctx, roomKey{}, room)
}

// RoomOf returns what a read under a context has to ask before it copies a document for
// its caller. It asks for small documents together, and for what is small in all not at
// all: below 64 KiB it is the caller's to bound.
func RoomOf(ctx context.Context) Room {
	room, ok := ctx.Value(roomKey{}).(Room)
	if !ok {
		return func(int) error { return nil }
	}
	unasked := 0
	return func(bytes int) error {
		if unasked += bytes; unasked < roomBytes {
			return nil
		}
		bytes, unasked = unasked, 0
		return room(bytes)
	}
}

// TakeRoom is RoomOf for one document.
func TakeRoom(ctx context.Context, bytes int) error {
	if bytes < roomBytes {
		return nil
	}
	return RoomOf(ctx)(bytes)
}

const roomBytes = 64 << 10
