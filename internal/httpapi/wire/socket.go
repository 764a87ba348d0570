package wire

import (
	"context"
	"io"
	"net"
	"syscall"

	"github.com/orgd/orgd/internal/fair"
)

// To read from sockets and to write to them is work, too: requests that did it without turns
// would keep all processors busy. A turn goes on while the socket gives and takes bytes, and
// ends when the client has to be waited for.

type connectionKey struct{}

// withConnection is http.Server's ConnContext.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn)
}

// connectionOf is the connection that a request came on, nil if a listener of Connections did not accept it.
func connectionOf(ctx context.Context) *connection {
	n, _ := ctx.Value(connectionKey{}).(*connection)
	return n
}

// rawOf is the socket beneath a connection, nil if it cannot be had.
func rawOf(conn net.Conn) syscall.RawConn {
	socket, ok := conn.(syscall.Conn)
	if !ok || !canTry {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// Write implements net.Conn.
func (n *connection) Write(b []byte) (written int, err error) {
	if n.raw == nil {
		n.writes.Done()
		return n.Conn.Write(b)
	}
	waited := n.raw.Write(func(fd uintptr) (done bool) {
		for written < len(b) && err == nil {
			var size int
			if size, err = tryWrite(fd, b[written:]); err == errWouldWait {
				err = nil
				n.writes.Done()
				return false
			}
			written += size
		}
		return true
	})
	if err == nil {
		err = waited
	}
	return written, err
}

// read reads what Read counts. Reads of one byte are of the goroutine by which net/http sees
// whether the client is still there, beside a request whose body was read: they have no turn.
func (n *connection) read(b []byte) (size int, err error) {
	turn := n.reads.Load()
	if turn == nil || n.raw == nil || len(b) == 1 {
		return n.Conn.Read(b)
	}
	waited := n.raw.Read(func(fd uintptr) (done bool) {
		if size, err = tryRead(fd, b); err == errWouldWait {
			err = nil
			turn.Done()
			return false
		}
		return true
	})
	switch {
	case err != nil:
		return 0, err
	case waited != nil:
		return 0, waited
	case size == 0:
		return 0, io.EOF
	}
	return size, nil
}

// readTurns are the turns in which a body is read. The zero value reads without any.
type readTurns struct {
	ctx  context.Context
	turn *fair.Turn
	conn *connection // nil in a test without one
}

// begin is called before a read.
func (r *readTurns) begin() {
	if r.conn == nil || r.conn.raw == nil {
		r.turn.Done()
		return
	}
	_ = r.turn.Rest(r.ctx) // if the request is over, the read itself fails
	r.conn.reads.Store(r.turn)
}

// end is called after a read. The turn goes on.
func (r *readTurns) end() {
	if r.conn != nil {
		r.conn.reads.Store(nil)
	}
}
