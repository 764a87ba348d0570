package wire

import (
	"bytes"
	"container/list"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/orgd/orgd/internal/fair"
	"github.com/orgd/orgd/internal/httpapi/network"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/org"
)

// Connections bounds how many there are, in all and from one client address, and how many
// lines and bytes the head of a request has. Where there are too many, a connection that rests
// makes room for the new one: of the same address if that has its share. So a client that opens
// many and does nothing with them is in no other's way. It is safe for concurrent use.
type Connections struct {
	max, perAddress int
	trusted         []netip.Prefix

	mu        sync.Mutex
	open      int
	byAddress map[string]int
	resting   *list.List // of *connection, the one that has rested longest first
	refusing  chan struct{}
}

const (
	// newRest is how long a new connection has before it counts as resting.
	newRest = time.Second
	// maxRefusing is how many clients at a time are told why they are refused. The others'
	// connections are closed without an answer.
	maxRefusing = 64
	// maxHeaderLines is how many lines the head of a request may have; browsers, and the
	// proxies between, send some dozens.
	maxHeaderLines = 512
	// maxUnread is how much is still read from a client that has been refused, in bytes.
	maxUnread = 1 << 20
)

// NewConnections allows max connections in all, and perAddress from each client address, or
// from each IPv6 /64. Only max bounds those of trusted proxies, which come for many clients.
func NewConnections(max, perAddress int, trusted []netip.Prefix) *Connections {
	return &Connections{max: max, perAddress: perAddress, trusted: trusted,
		byAddress: map[string]int{}, resting: list.New(), refusing: make(chan struct{}, maxRefusing)}
}

// Listen returns a listener whose connections are counted. The server that serves it must be
// made by NewServer with c.
func (c *Connections) Listen(l net.Listener) net.Listener { return countedListener{l, c} }

type countedListener struct {
	net.Listener
	c *Connections
}

// Accept implements net.Listener.
func (l countedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if counted := l.c.admit(conn); counted != nil {
			return counted, nil
		}
		l.c.refuse(conn)
	}
}

// A connection is a net.Conn that is counted.
type connection struct {
	net.Conn
	c       *Connections
	address string        // in whose share it counts; empty: in none
	rests   *list.Element // nil while a request is under way
	since   time.Time     // when it began to rest
	gone    bool          // it does not count any more

	// raw is the socket, nil where it cannot be used without waiting.
	raw syscall.RawConn
	// writes is the turn of the goroutine that writes, nil while no request is under way,
	// and reads of the goroutine that reads a body, nil while none does.
	writes *fair.Turn
	until  time.Time // the deadline of writes that is set, while no request is under way
	reads  atomic.Pointer[fair.Turn]

	inHead atomic.Bool
	head   int // how many bytes of the head were read
	lines  int // and how many lines
	length int // how many bytes of the line after those were read
}

// admit returns nil when there are too many connections, none of which rests.
func (c *Connections) admit(conn net.Conn) *connection {
	n := &connection{Conn: conn, c: c, address: c.shareOf(conn.RemoteAddr()), raw: rawOf(conn)}
	n.inHead.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	full := n.address != "" && c.byAddress[n.address] >= c.perAddress
	if (full || c.open >= c.max) && !c.makeRoom(n.address, full) {
		return nil
	}
	c.open++
	if n.address != "" {
		c.byAddress[n.address]++
	}
	n.since = time.Now().Add(newRest)
	n.rests = c.resting.PushBack(n)
	return n
}

// makeRoom closes the connection that has rested longest; if only is set, of one address.
func (c *Connections) makeRoom(address string, only bool) bool {
	now := time.Now()
	for e := c.resting.Front(); e != nil; e = e.Next() {
		if n := e.Value.(*connection); now.After(n.since) && (!only || n.address == address) {
			c.forget(n)
			go n.Conn.Close()
			return true
		}
	}
	return false
}

// forget stops to count a connection.
func (c *Connections) forget(n *connection) {
	if n.gone {
		return
	}
	n.gone = true
	c.wake(n)
	c.open--
	if n.address == "" {
		return
	}
	if c.byAddress[n.address]--; c.byAddress[n.address] == 0 {
		delete(c.byAddress, n.address)
	}
}

func (c *Connections) wake(n *connection) {
	if n.rests != nil {
		c.resting.Remove(n.rests)
		n.rests = nil
	}
}

func (c *Connections) shareOf(addr net.Addr) string {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return "" // a network without IP addresses
	}
	ip := at.Addr().WithZone("").Unmap()
	for _, p := range c.trusted {
		if p.Contains(ip) {
			return ""
		}
	}
	return network.Address(ip.String())
}

// state is http.Server's ConnState.
func (c *Connections) state(conn net.Conn, to http.ConnState) {
	n, ok := conn.(*connection)
	if !ok {
		return
	}
	n.inHead.Store(to == http.StateNew || to == http.StateIdle)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch to {
	case http.StateActive:
		c.wake(n)
	case http.StateIdle:
		if n.gone { // closed for another while its request ended: it makes no room twice
			return
		}
		c.wake(n)
		n.since = time.Now()
		n.rests = c.resting.PushBack(n)
	case http.StateClosed, http.StateHijacked:
		c.forget(n)
	}
}

// Read implements net.Conn. It counts the lines and bytes of heads.
func (n *connection) Read(b []byte) (int, error) {
	size, err := n.read(b)
	if !n.inHead.Load() {
		return size, err
	}
	refusal := ""
	switch n.count(b[:size]); {
	case n.lines > maxHeaderLines:
		refusal = fmt.Sprintf("The request has more than %d lines of headers.", maxHeaderLines)
	case n.head > MaxHeaderBytes:
		refusal = fmt.Sprintf("The request's line and headers are larger than %d bytes. For a long filter there is POST /org/documents/query.", MaxHeaderBytes)
	default:
		return size, err
	}
	refuseRaw(n.Conn, http.StatusRequestHeaderFieldsTooLarge, problem.Malformed, refusal)
	return 0, io.EOF
}

// count counts lines and bytes up to the end of a head, which is an empty line.
func (n *connection) count(text []byte) {
	for n.lines <= maxHeaderLines {
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			n.head, n.length = n.head+len(text), n.length+lineLength(text)
			return
		}
		empty := n.length+lineLength(text[:end]) == 0
		n.head += end + 1
		text, n.length = text[end+1:], 0
		if n.lines++; empty && n.lines > 1 {
			if n.head <= MaxHeaderBytes {
				n.head, n.lines = 0, 0
				n.inHead.Store(false)
			}
			return
		}
	}
}

// lineLength is how long a part of a line is without what ends it.
func lineLength(text []byte) int { return len(text) - bytes.Count(text, []byte{'\r'}) }

// refuse tells a client that there are too many connections.
func (c *Connections) refuse(conn net.Conn) {
	select {
	case c.refusing <- struct{}{}:
	default:
		_ = conn.Close()
		return
	}
	go func() {
		defer func() { <-c.refusing }()
		defer conn.Close()
		refuseRaw(conn, http.StatusServiceUnavailable, org.Unavailable, "There are too many connections. Close those that you do not use, or try again in a moment.")
	}()
}

// refuseRaw writes a problem where there is no request to answer, and takes what still comes:
// if the connection were closed with something unread, the answer might never be seen.
func refuseRaw(conn net.Conn, status int, code org.Kind, detail string) {
	body := problem.Bare(status, code, detail)
	_ = conn.SetDeadline(time.Now().Add(lastWords / 4))
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nRetry-After: 2\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		status, http.StatusText(status), len(body), body)
	_, _ = io.CopyN(io.Discard, conn, maxUnread)
}
