package mongotest

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A Proxy stands between a client and a server. It breaks connections, holds messages
// back, delivers them twice and makes them slow, as a test chooses.
type Proxy struct {
	listener net.Listener
	uri      url.URL
	server   string
	delay    atomic.Int64
	closed   chan struct{}
	wg       sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	seen   int
	choose func(Command) Fault
	answer func(Command) any
	held   []heldMessage
}

// A Fault is what becomes of a command.
type Fault int

const (
	// Pass: the command and its answer go through.
	Pass Fault = iota
	// Cut: the connection breaks before the server gets the command.
	Cut
	// Lose: the connection breaks after the server has answered.
	Lose
	// Stall: the server gets the command, and the client no answer.
	Stall
	// Hold: the server gets the command when the test calls Deliver, whatever the client has
	// done by then. The client gets no answer.
	Hold
	// Twice: the server gets the command once more, over another connection, before its first
	// answer goes to the client. The server must not ask for a password.
	Twice
)

// A Command is a message to the server.
type Command struct {
	N                          int    // counted from 1
	Name, Database, Collection string // Collection is empty if the command is not about one
	Body                       bson.Raw
}

// NewProxy starts a proxy before the first server of a connection string, until the test ends.
func NewProxy(t testing.TB, uri string) *Proxy {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, uri: *u, closed: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	p.server, _, _ = strings.Cut(u.Host, ",")
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// URI returns a connection string to the proxy, to which options can be added with "&". It says
// directConnection, since the list of a replica set's members would lead past the proxy, and asks
// for polling, since the proxy does not know answers without a request.
func (p *Proxy) URI() string {
	u := p.uri
	u.Host = p.listener.Addr().String()
	q := u.Query()
	q.Set("directConnection", "true")
	q.Set("serverMonitoringMode", "poll")
	u.RawQuery = q.Encode()
	return u.String()
}

// On gives every command from now on the fault that choose returns. choose is asked about one
// command at a time, before it is delayed or sent; nil lets all pass.
func (p *Proxy) On(choose func(Command) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.choose = choose
}

// Answer lets the test answer for the server from now on. If answer returns a document for a
// command (in a form that can be marshalled), the client gets that, and the server does not get the
// command; if it returns nil, the server answers. answer is asked about one command at a time; a nil
// answer leaves all commands to the server.
func (p *Proxy) Answer(answer func(Command) any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// Nth chooses, for On, the n-th command from now on, counted from 1, of a name, on the
// collections whose names begin with prefix.
func Nth(n int, name, prefix string, f Fault) func(Command) Fault {
	return matching(name, prefix, f, func(nth int) bool { return nth == n })
}

// First chooses, for On, the first n of those commands.
func First(n int, name, prefix string, f Fault) func(Command) Fault {
	return matching(name, prefix, f, func(nth int) bool { return nth <= n })
}

func matching(name, prefix string, f Fault, chosen func(nth int) bool) func(Command) Fault {
	seen := 0
	return func(c Command) Fault {
		if c.Name != name || !strings.HasPrefix(c.Collection, prefix) {
			return Pass
		}
		if seen++; chosen(seen) {
			return f
		}
		return Pass
	}
}

// Delay makes every message to the server take that long. Answers come back at once.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// A heldMessage is a message that is held, and the connection over which it will be sent.
type heldMessage struct {
	command Command
	message []byte
	server  net.Conn
}

// Held returns the commands that are held, in the order in which they were sent.
func (p *Proxy) Held() []Command {
	p.mu.Lock()
	defer p.mu.Unlock()
	commands := make([]Command, len(p.held))
	for i, h := range p.held {
		commands[i] = h.command
	}
	return commands
}

// Deliver sends the given commands that are held, or all held commands if none is given, in the
// order in which they were sent, and returns the server's answer to each; nil if the connection
// broke.
func (p *Proxy) Deliver(which ...Command) []bson.Raw {
	p.mu.Lock()
	var due []heldMessage
	p.held = slices.DeleteFunc(p.held, func(h heldMessage) bool {
		chosen := len(which) == 0 || slices.ContainsFunc(which, func(c Command) bool { return c.N == h.command.N })
		if chosen {
			due = append(due, h)
		}
		return chosen
	})
	p.mu.Unlock()
	answers := make([]bson.Raw, len(due))
	for i, h := range due {
		answer, err := exchange(h.server, h.message)
		if err == nil {
			answers[i] = body(answer)
		}
		p.drop(h.server)
	}
	return answers
}

func (p *Proxy) close() {
	close(p.closed)
	_ = p.listener.Close() // accept ends whether or not it was closed already
	p.mu.Lock()
	for c := range p.conns {
		_ = c.Close() // ends the goroutine that reads from it
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := p.dial()
		if err != nil {
			_ = client.Close() // the client sees that there is no server
			continue
		}
		p.keep(client)
		p.wg.Go((&link{p: p, client: client, server: server}).run)
	}
}

// dial connects to the server.
func (p *Proxy) dial() (net.Conn, error) {
	c, err := net.Dial("tcp", p.server)
	if err == nil {
		p.keep(c)
	}
	return c, err
}

// keep makes the proxy close a connection when it ends.
func (p *Proxy) keep(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = struct{}{}
	select {
	case <-p.closed:
		_ = c.Close()
	default:
	}
}

// drop closes a connection.
func (p *Proxy) drop(c net.Conn) {
	_ = c.Close() // no goroutine waits on it any more
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// fate returns the command in a message, and its fault.
func (p *Proxy) fate(message []byte) (Command, Fault) {
	c := parse(message)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen++
	c.N = p.seen
	if p.choose == nil || c.Name == "" {
		return c, Pass
	}
	return c, p.choose(c)
}

// forged returns the test's answer to a command; nil if the server is to answer.
func (p *Proxy) forged(c Command) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answer == nil || c.Name == "" {
		return nil
	}
	return p.answer(c)
}

// travel waits for the time that a message takes.
func (p *Proxy) travel() {
	if d := p.delay.Load(); d > 0 {
		timer := time.NewTimer(time.Duration(d))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-p.closed:
		}
	}
}
