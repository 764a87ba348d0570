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
// back, delivers them twice and makes them slow, as a test says.
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
	// Pass: nothing is wrong.
	Pass Fault = iota
	// Cut: the connection breaks before the server gets it.
	Cut
	// Lose: the connection breaks when the server has answered.
	Lose
	// Stall: the server gets it, and no answer ever comes.
	Stall
	// Hold: the server gets it when Deliver says so, whatever the client has done by
	// then. No answer ever comes.
	Hold
	// Twice: the server gets it once more, over another connection, before its first
	// answer goes to the client. That server must not ask for a password.
	Twice
)

// A Command is a message to the server.
type Command struct {
	N                          int    // counted from 1
	Name, Database, Collection string // the collection is empty where it is about none
	Body                       bson.Raw
}

// NewProxy starts a proxy before the first server of a connection string. It ends with the test.
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

// URI returns a connection string, to which more options can be added with "&". It
// leads to the proxy only: a replica set's own list of members would lead past it. It asks for
// polling, since the proxy does not know of answers without a question.
func (p *Proxy) URI() string {
	u := p.uri
	u.Host = p.listener.Addr().String()
	q := u.Query()
	q.Set("directConnection", "true")
	q.Set("serverMonitoringMode", "poll")
	u.RawQuery = q.Encode()
	return u.String()
}

// On has choose say what becomes of every command from now on. It is asked about one at
// a time, before the command is delayed or sent. Nil: all pass.
func (p *Proxy) On(choose func(Command) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.choose = choose
}

// Answer has answer give the server's answer to every command from now on, unless it is
// nil, as a document that can be marshalled; the server does not get the command then. It is
// asked about one at a time. Nil: the server answers all.
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

// A heldMessage is a message that is held, and the connection it will be sent over.
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

// Deliver sends those of the given commands that are held, or all that are if none is
// given, in the order in which they were sent, and returns what the server has answered
// to each; nil where the connection broke.
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
		_ = c.Close() // who reads from it ends
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

// keep has a connection closed with the proxy.
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
	_ = c.Close() // nothing is waited for on it any more
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// fate says what becomes of a message.
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

// forged is the answer that a test gives to a command; nil: the server answers it.
func (p *Proxy) forged(c Command) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answer == nil || c.Name == "" {
		return nil
	}
	return p.answer(c)
}

// travel takes the time that a message takes.
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
