package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// What a move has to reach.
const (
	moveTarget    = 0.50
	moveMemory    = 200 << 20
	movePause     = 100 * time.Millisecond
	rereadTarget  = 0.90
	rereadsTarget = 0.25
)

// A moved is one engine that moves are measured on.
type moved struct {
	s       *suite
	engine  string
	program string
	moveOrder
}

// move measures updates that move an organization's data, on both engines.
func (s *suite) move(ctx context.Context) error {
	program, err := s.withoutCgo(ctx)
	if err != nil {
		return err
	}
	window, many, fewer := 10*time.Second, 1_000_000, 20_000
	if s.quick {
		window, many, fewer = s.window, 20_000, 2_000
	}
	order := moveOrder{Dir: filepath.Join(s.dir, "move"), Documents: many, Rounds: min(s.rounds, 3), Window: window}
	if err := os.Mkdir(order.Dir, 0o700); err != nil {
		return err
	}
	if err := (&moved{s, "embedded engine", program, order}).measure(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(order.Dir); err != nil {
		return err
	}
	return s.moveOnMongo(ctx, program, moveOrder{Documents: fewer, Rounds: order.Rounds, Window: window})
}

func (s *suite) moveOnMongo(ctx context.Context, program string, order moveOrder) error {
	return s.onMongo(ctx, func(uri string) error {
		order.URI = uri
		return (&moved{s, "MongoDB", program, order}).measure(ctx)
	})
}

// measure runs the phases one after the other on the same data.
func (m *moved) measure(ctx context.Context) error {
	if _, err := m.phase(ctx, "fill"); err != nil {
		return err
	}
	reread, err := m.phase(ctx, "reread")
	if err != nil {
		return err
	}
	alone, err := m.phase(ctx, "alone")
	if err != nil {
		return err
	}
	clients, err := m.phase(ctx, "clients")
	if err != nil {
		return err
	}
	m.addSpeed(alone)
	m.addClients(clients)
	m.addReread(reread)
	m.s.note(fmt.Sprintf("Moves: package tenant on an engine, without HTTP, in processes of their own, one for filling, one for each kind of measurement, "+
		"built without cgo and collecting garbage as orgd does. The bare copy is a loop that reads %s documents and inserts them; with the driver, with the engine's read and write concern. "+
		"A move counts from the call to the answer, with announcing, copying, catching up, verifying and flipping; the drop of the old collection, which comes before the answer, is shown apart, and so is that of the bare copy. "+
		"%d rounds after one that is thrown away, with clients one.", thousands(moveBatch), m.Rounds))
	m.s.note(fmt.Sprintf("The %d writers take no pause; of 10 writes 6 replace a document, 2 insert and 2 delete one, at random. The %d readers pause for %v. "+
		"Writes during the move are those that overlap it, the drop included; a latency lasts until the write is done, tries that were refused included. At the end all documents are compared with what was acknowledged. "+
		"Resident memory is the peak in the move of the one process that holds the engine, the store and the clients.", moveWriters, moveReaders, readerPause))
	return nil
}

// phase runs one in a process of its own.
func (m *moved) phase(ctx context.Context, name string) (moveReport, error) {
	m.s.progress("  %s: %s", m.engine, name)
	order := m.moveOrder
	order.Phase = name
	if name == "reread" {
		order.Window = m.s.window // there are rounds of it
	}
	arg, err := json.Marshal(order)
	if err != nil {
		return moveReport{}, err
	}
	cmd := exec.CommandContext(ctx, m.program, "move", string(arg))
	var stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stderr = m.s.dir, environment(), &stderr
	out, err := cmd.Output()
	var report moveReport
	if err == nil {
		err = json.Unmarshal(out, &report)
	}
	if err != nil {
		text := stderr.Bytes()
		return report, fmt.Errorf("phase %s: %w\n%s", name, err, text[max(0, len(text)-2000):])
	}
	return report, nil
}

func (m *moved) perSecond(took time.Duration) float64 {
	return float64(m.Documents) / took.Seconds()
}

// addSpeed compares what both do: they read and write all documents. What the drop of
// a collection takes is shown apart; on some servers it is more than all the rest.
func (m *moved) addSpeed(r moveReport) {
	step := func(name string) time.Duration {
		return medianOf(r.Steps, func(steps map[string]time.Duration) time.Duration { return steps[name] })
	}
	var moves []time.Duration
	for i, took := range r.Moves {
		moves = append(moves, took-r.Steps[i]["retire"])
	}
	ratio := medianRatio(r.Copies, moves, func(took time.Duration) time.Duration { return took })
	took := median(moves)
	m.s.add(row{
		what: fmt.Sprintf("move of %s documents of %d bytes, %s; yardstick: a bare loop of find and insertMany",
			thousands(float64(m.Documents)), documentBytes, m.engine),
		orgd: fmt.Sprintf("%s documents/s: %s, of which copy %s, verify %s; then the drop of the old ones %s",
			thousands(m.perSecond(took)), short(took), short(step("copy")), short(step("verify")), short(step("retire"))),
		yardstick: fmt.Sprintf("%s documents/s: %s; drop %s",
			thousands(m.perSecond(median(r.Copies))), short(median(r.Copies)), short(median(r.Drops))),
		ratio: percent(ratio), target: "≥ " + percent(moveTarget), reached: verdictOf(ratio >= moveTarget),
	})
}

func (m *moved) addClients(r moveReport) {
	calls := func(l latency) string { return thousands(float64(l.Calls)) }
	m.s.add(row{
		what: fmt.Sprintf("the same while %d clients write and %d read, %s", moveWriters, moveReaders, m.engine),
		orgd: fmt.Sprintf("%s documents/s: %s with the drop; %s writes; %s reads, %v",
			thousands(m.perSecond(r.Move)), short(r.Move), calls(r.During), calls(r.Reads), r.Reads),
	})
	pauses := row{
		what:      fmt.Sprintf("latency of those writes, %s; yardstick: without a move", m.engine),
		orgd:      r.During.String(),
		yardstick: fmt.Sprintf("before (%s writes) %v; after (%s) %v", calls(r.Before), r.Before, calls(r.After), r.After),
		ratio:     fmt.Sprintf("%.1f × p99", float64(r.During.P99)/float64(max(r.Before.P99, 1))),
	}
	memory := row{
		what: fmt.Sprintf("resident memory in that move, of engine, store and clients together, %s", m.engine),
		orgd: fmt.Sprintf("%.0f MiB", mib(r.Peak)),
	}
	if r.Refused > 0 {
		pauses.orgd += fmt.Sprintf("; %d tries refused for the time being", r.Refused)
	}
	if m.URI != "" {
		pauses.orgd += fmt.Sprintf("; of these while the old collection was dropped: %v", r.Dropping)
	}
	if m.URI == "" { // on a server the pause is the server's, and so is most memory
		pauses.target, pauses.reached = "max ≤ "+short(movePause), verdictOf(r.During.Max <= movePause)
		memory.target, memory.reached = fmt.Sprintf("≤ %d MiB", moveMemory>>20), verdictOf(r.Peak <= moveMemory)
	}
	m.s.add(pauses)
	if r.Peak > 0 {
		m.s.add(memory)
	} else {
		m.s.note(fmt.Sprintf("Memory was not measured: %v.", errNoProc))
	}
	m.s.add(row{
		what: fmt.Sprintf("documents that are not as acknowledged after that move, %s", m.engine),
		orgd: fmt.Sprint(r.Wrong), target: "0", reached: verdictOf(r.Wrong == 0),
	})
}

func (m *moved) addReread(r moveReport) {
	what := fmt.Sprintf("get of one of %s documents, %d clients, %s", thousands(rereadDocuments), rereadClients, m.engine)
	if m.URI != "" {
		m.s.add(row{
			what:   what + ": reads of the organization, the first and the second look, a get",
			orgd:   fmt.Sprintf("%.3f, at %s gets/s", r.PerGet, thousands(median(r.Plain))),
			target: fmt.Sprintf("≤ %.2f", rereadsTarget), reached: verdictOf(r.PerGet <= rereadsTarget),
		})
		return
	}
	ratio := medianRatio(r.Plain, r.Once, func(perSecond float64) float64 { return perSecond })
	m.s.add(row{
		what: what + "; yardstick: without the second look at the organization",
		orgd: thousands(median(r.Plain)) + " /s", yardstick: thousands(median(r.Once)) + " /s", ratio: percent(ratio),
		target: "≥ " + percent(rereadTarget), reached: verdictOf(ratio >= rereadTarget),
	})
	m.s.note("The yardstick of a document's get without the second look is the same code on an engine that answers the second look from memory of the request.")
}
