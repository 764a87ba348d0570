package httpapi

import (
	"context"
	"net"
	"syscall"
)

type connectionKey struct{}

// withConnection is http.Server's ConnContext.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn)
}

// connectionOf is the connection that a request came on, nil if it is not one of ours.
func connectionOf(ctx context.Context) *connection {
	n, _ := ctx.Value(connectionKey{}).(*connection)
	return n
}

// rawOf is the socket beneath a connection, nil if it cannot be had.
func rawOf(conn net.Conn) syscall.RawConn {
	socket, ok := conn.(syscall.Conn)
	if !ok || !canTryWrites {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// Write implements net.Conn. The request's turn goes on while the socket takes what is
// written, which costs processor time, and ends when the client has to be waited for. Many
// who wrote without turns would keep all processors busy.
func (n *connection) Write(b []byte) (written int, err error) {
	if n.raw == nil {
		n.turn.Done()
		return n.Conn.Write(b)
	}
	waited := n.raw.Write(func(fd uintptr) (done bool) {
		var size int
		for written < len(b) && err == nil {
			if size, err = tryWrite(fd, b[written:]); size == 0 && err == nil {
				n.turn.Done()
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
