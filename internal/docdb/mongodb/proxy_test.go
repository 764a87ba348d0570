package mongodb_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// A proxy stands between an engine and the server and breaks connections.
type proxy struct {
	t        testing.TB
	listener net.Listener
	server   string
	wg       sync.WaitGroup
	mu       sync.Mutex
	conns    []net.Conn

	// fault, if set, is asked for every message to the server.
	fault atomic.Pointer[func(message []byte) fault]
}

type fault int

const (
	pass  fault = iota
	cut         // the message does not reach the server
	lose        // the server gets it, its answer is lost
	stall       // the server gets it, and no answer ever comes
)

func newProxy(t testing.TB, uri string) *proxy {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, listener: l, server: u.Host}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

// uri connects to the proxy only: a replica set's own list of members would lead
// past it. Polling, since serve does not know of answers without a question.
func (p *proxy) uri() string {
	return "mongodb://" + p.listener.Addr().String() + "/?directConnection=true&serverMonitoringMode=poll"
}

// on sets the fault for the messages that contain a text: the name of a command as
// BSON has it is between zero bytes.
func (p *proxy) on(command string, f fault, times int) {
	var seen atomic.Int32
	look := func(message []byte) fault {
		if bytes.Contains(message[:min(len(message), 64)], []byte(command+"\x00")) && int(seen.Add(1)) <= times {
			return f
		}
		return pass
	}
	p.fault.Store(&look)
}

// hold holds the first such message back, once sent tells of it, until goOn is closed.
func (p *proxy) hold(command string) (sent <-chan struct{}, goOn chan<- struct{}) {
	held, let := make(chan struct{}), make(chan struct{})
	var once sync.Once
	look := func(message []byte) fault {
		if bytes.Contains(message[:min(len(message), 64)], []byte(command+"\x00")) {
			once.Do(func() { close(held); <-let })
		}
		return pass
	}
	p.fault.Store(&look)
	return held, let
}

func (p *proxy) off() { p.fault.Store(nil) }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.wg.Go(func() { p.serve(client, server) })
	}
}

// serve carries messages one by one: each is answered before the next.
func (p *proxy) serve(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	for {
		request, err := message(client)
		if err != nil {
			return
		}
		do := pass
		if f := p.fault.Load(); f != nil {
			do = (*f)(request)
		}
		if do == cut {
			return
		}
		if _, err := server.Write(request); err != nil {
			return
		}
		answer, err := message(server)
		switch {
		case err != nil || do == lose:
			return
		case do == stall:
			_, _ = io.Copy(io.Discard, client) // until the client gives up
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

// message reads one message of MongoDB's wire protocol.
func message(r io.Reader) ([]byte, error) {
	size := make([]byte, 4)
	if _, err := io.ReadFull(r, size); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(size)
	if n < 16 || n > 64<<20 {
		return nil, errors.New("not a message")
	}
	m := append(size, make([]byte, n-4)...)
	_, err := io.ReadFull(r, m[4:])
	return m, err
}
