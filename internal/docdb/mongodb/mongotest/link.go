package mongotest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A link is a client's connection, and the connection to the server on its behalf.
type link struct {
	p              *Proxy
	client, server net.Conn
	lent           bool // a held message keeps the connection to the server
}

// run carries messages one by one: each is answered before the next.
func (l *link) run() {
	defer func() {
		l.p.drop(l.client)
		if !l.lent {
			l.p.drop(l.server)
		}
	}()
	for {
		message, err := readMessage(l.client)
		if err != nil || !l.carry(message) {
			return
		}
	}
}

// carry carries a message and its answer; false ends the link.
func (l *link) carry(message []byte) (more bool) {
	command, fault := l.p.fate(message)
	switch fault {
	case Cut:
		return false
	case Hold:
		l.lent = true
		l.p.mu.Lock()
		l.p.held = append(l.p.held, heldMessage{command, message, l.server})
		l.p.mu.Unlock()
		l.silence()
		return false
	}
	l.p.travel()
	answer, err := l.ask(command, message)
	if err == nil && fault == Twice {
		err = l.again(message)
	}
	switch {
	case err != nil || fault == Lose:
		return false
	case fault == Stall:
		l.silence()
		return false
	}
	_, err = l.client.Write(answer)
	return err == nil
}

// ask returns the answer to a command, the server's or the test's.
func (l *link) ask(command Command, message []byte) ([]byte, error) {
	if forged := l.p.forged(command); forged != nil {
		return reply(message, forged)
	}
	return exchange(l.server, message)
}

// silence sends no answer until the client gives up.
func (l *link) silence() { _, _ = io.Copy(io.Discard, l.client) }

// again sends a message once more, and discards the answer.
func (l *link) again(message []byte) error {
	server, err := l.p.dial()
	if err != nil {
		return err
	}
	defer l.p.drop(server)
	_, err = exchange(server, message)
	return err
}

// exchange sends a message and returns its answer.
func exchange(server net.Conn, message []byte) ([]byte, error) {
	if _, err := server.Write(message); err != nil {
		return nil, err
	}
	return readMessage(server)
}

// readMessage reads one message of MongoDB's wire protocol.
func readMessage(r io.Reader) ([]byte, error) {
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

const (
	// opMsg is the code of messages with a command or its answer.
	opMsg = 2013
	// start is where the document in such a message is: behind a header of 16 bytes, 4 bytes of
	// flags, and the kind of the first section, which is 0.
	start = 21
)

// body returns the document of a command or of an answer; nil of any other message.
func body(message []byte) bson.Raw {
	if len(message) < start+4 || binary.LittleEndian.Uint32(message[12:]) != opMsg || message[start-1] != 0 {
		return nil
	}
	n := binary.LittleEndian.Uint32(message[start:])
	if uint64(n) > uint64(len(message)-start) {
		return nil
	}
	return bson.Raw(message[start : start+int(n)])
}

// reply makes a message that answers another.
func reply(to []byte, doc any) ([]byte, error) {
	body, err := bson.Marshal(doc)
	if err != nil {
		return nil, err
	}
	m := make([]byte, start, start+len(body))
	binary.LittleEndian.PutUint32(m, uint32(start+len(body)))
	copy(m[8:12], to[4:8]) // the request's number
	binary.LittleEndian.PutUint32(m[12:], opMsg)
	return append(m, body...), nil
}

// parse returns the command in a message to the server; it has no name if there is none.
func parse(message []byte) (c Command) {
	c.Body = body(message)
	elements, err := c.Body.Elements()
	if err != nil || len(elements) == 0 {
		return Command{}
	}
	c.Name = elements[0].Key()
	c.Collection, _ = elements[0].Value().StringValueOK()
	if c.Name == "getMore" {
		c.Collection, _ = c.Body.Lookup("collection").StringValueOK()
	}
	c.Database, _ = c.Body.Lookup("$db").StringValueOK()
	return c
}
