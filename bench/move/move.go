// Package move measures updates that move the data of an organization, against a bare
// copy.
package move

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/bench/machine"
	"github.com/orgd/orgd/bench/mongoserver"
	"github.com/orgd/orgd/bench/move/phase"
	"github.com/orgd/orgd/bench/process"
	"github.com/orgd/orgd/bench/suite"
)

// What a move has to reach.
const (
	moveTarget    = 0.50
	moveMemory    = 200 << 20
	movePause     = 100 * time.Millisecond
	rereadTarget  = 0.90
	rereadsTarget = 0.25
)

// A measurement is that of moves on one engine.
type measurement struct {
	s       *suite.Suite
	engine  string
	program string
	phase.Order
}

// Measure measures updates that move an organization's data, on both engines.
func Measure(ctx context.Context, s *suite.Suite) error {
	program, err := s.WithoutCgo(ctx)
	if err != nil {
		return err
	}
	window, many, fewer := 10*time.Second, 1_000_000, 20_000
	if s.Quick {
		window, many, fewer = s.Window, 20_000, 2_000
	}
	order := phase.Order{Dir: filepath.Join(s.Dir, "move"), Documents: many, Rounds: min(s.Rounds, 3), Window: window}
	if err := os.Mkdir(order.Dir, 0o700); err != nil {
		return err
	}
	if err := (&measurement{s, "embedded engine", program, order}).measure(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(order.Dir); err != nil {
		return err
	}
	return moveOnMongo(ctx, s, program, phase.Order{Documents: fewer, Rounds: order.Rounds, Window: window})
}

func moveOnMongo(ctx context.Context, s *suite.Suite, program string, order phase.Order) error {
	return mongoserver.With(ctx, s, func(uri string) error {
		order.URI = uri
		return (&measurement{s, "MongoDB", program, order}).measure(ctx)
	})
}

// measure runs the phases one after the other on the same data.
func (m *measurement) measure(ctx context.Context) error {
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
	m.s.Note(fmt.Sprintf("Moves: package tenant on an engine, without HTTP, in processes of their own, one for filling, one for each kind of measurement, "+
		"built without cgo and collecting garbage as orgd does. The bare copy is a loop that reads %s documents and inserts them; with the driver, with the engine's read and write concern. "+
		"A move counts from the call to the answer, with announcing, copying, catching up, verifying and flipping; the drop of the old collection, which comes before the answer, is shown apart, and so is that of the bare copy. "+
		"%d rounds after one that is thrown away, with clients one.", figure.Thousands(phase.Batch), m.Rounds))
	m.s.Note(fmt.Sprintf("The %d writers take no pause; of 10 writes 6 replace a document, 2 insert and 2 delete one, at random. The %d readers pause for %v. "+
		"Writes during the move are those that overlap it, the drop included; a latency lasts until the write is done, tries that were refused included. At the end all documents are compared with what was acknowledged. "+
		"Resident memory is the peak in the move of the one process that holds the engine, the store and the clients.", phase.Writers, phase.Readers, phase.ReaderPause))
	return nil
}

// phase runs one in a process of its own.
func (m *measurement) phase(ctx context.Context, name string) (phase.Report, error) {
	m.s.Progress("  %s: %s", m.engine, name)
	order := m.Order
	order.Phase = name
	if name == "reread" {
		order.Window = m.s.Window // there are rounds of it
	}
	arg, err := json.Marshal(order)
	if err != nil {
		return phase.Report{}, err
	}
	cmd := exec.CommandContext(ctx, m.program, "move", string(arg))
	var stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stderr = m.s.Dir, process.Environment(), &stderr
	out, err := cmd.Output()
	var report phase.Report
	if err == nil {
		err = json.Unmarshal(out, &report)
	}
	if err != nil {
		text := stderr.Bytes()
		return report, fmt.Errorf("phase %s: %w\n%s", name, err, text[max(0, len(text)-2000):])
	}
	return report, nil
}

func (m *measurement) perSecond(took time.Duration) float64 {
	return float64(m.Documents) / took.Seconds()
}

// addSpeed compares what both do: they read and write all documents. What the drop of
// a collection takes is shown apart; on some servers it is more than all the rest.
func (m *measurement) addSpeed(r phase.Report) {
	step := func(name string) time.Duration {
		return figure.MedianOf(r.Steps, func(steps map[string]time.Duration) time.Duration { return steps[name] })
	}
	var moves []time.Duration
	for i, took := range r.Moves {
		moves = append(moves, took-r.Steps[i]["retire"])
	}
	ratio := figure.MedianRatio(r.Copies, moves, func(took time.Duration) time.Duration { return took })
	took := figure.Median(moves)
	m.s.Add(suite.Row{
		What: fmt.Sprintf("move of %s documents of %d bytes, %s; yardstick: a bare loop of find and insertMany",
			figure.Thousands(float64(m.Documents)), phase.DocumentBytes, m.engine),
		Orgd: fmt.Sprintf("%s documents/s: %s, of which copy %s, verify %s; then the drop of the old ones %s",
			figure.Thousands(m.perSecond(took)), figure.Short(took), figure.Short(step("copy")), figure.Short(step("verify")), figure.Short(step("retire"))),
		Yardstick: fmt.Sprintf("%s documents/s: %s; drop %s",
			figure.Thousands(m.perSecond(figure.Median(r.Copies))), figure.Short(figure.Median(r.Copies)), figure.Short(figure.Median(r.Drops))),
		Ratio: figure.Percent(ratio), Target: "≥ " + figure.Percent(moveTarget), Reached: suite.Reached(ratio >= moveTarget),
	})
}

func (m *measurement) addClients(r phase.Report) {
	calls := func(l phase.Latency) string { return figure.Thousands(float64(l.Calls)) }
	m.s.Add(suite.Row{
		What: fmt.Sprintf("the same while %d clients write and %d read, %s", phase.Writers, phase.Readers, m.engine),
		Orgd: fmt.Sprintf("%s documents/s: %s with the drop; %s writes; %s reads, %v",
			figure.Thousands(m.perSecond(r.Move)), figure.Short(r.Move), calls(r.During), calls(r.Reads), r.Reads),
	})
	pauses := suite.Row{
		What:      fmt.Sprintf("latency of those writes, %s; yardstick: without a move", m.engine),
		Orgd:      r.During.String(),
		Yardstick: fmt.Sprintf("before (%s writes) %v; after (%s) %v", calls(r.Before), r.Before, calls(r.After), r.After),
		Ratio:     fmt.Sprintf("%.1f × p99", float64(r.During.P99)/float64(max(r.Before.P99, 1))),
	}
	memory := suite.Row{
		What: fmt.Sprintf("resident memory in that move, of engine, store and clients together, %s", m.engine),
		Orgd: fmt.Sprintf("%.0f MiB", figure.MiB(r.Peak)),
	}
	if r.Refused > 0 {
		pauses.Orgd += fmt.Sprintf("; %d tries refused for the time being", r.Refused)
	}
	if m.URI != "" {
		pauses.Orgd += fmt.Sprintf("; of these while the old collection was dropped: %v", r.Dropping)
	}
	if m.URI == "" { // on a server the pause is the server's, and so is most memory
		pauses.Target, pauses.Reached = "max ≤ "+figure.Short(movePause), suite.Reached(r.During.Max <= movePause)
		memory.Target, memory.Reached = fmt.Sprintf("≤ %d MiB", moveMemory>>20), suite.Reached(r.Peak <= moveMemory)
	}
	m.s.Add(pauses)
	if r.Peak > 0 {
		m.s.Add(memory)
	} else {
		m.s.Note(fmt.Sprintf("Memory was not measured: %v.", machine.ErrNoProc))
	}
	m.s.Add(suite.Row{
		What: fmt.Sprintf("documents that are not as acknowledged after that move, %s", m.engine),
		Orgd: fmt.Sprint(r.Wrong), Target: "0", Reached: suite.Reached(r.Wrong == 0),
	})
}

func (m *measurement) addReread(r phase.Report) {
	what := fmt.Sprintf("get of one of %s documents, %d clients, %s", figure.Thousands(phase.RereadDocuments), phase.RereadClients, m.engine)
	if m.URI != "" {
		m.s.Add(suite.Row{
			What:   what + ": reads of the organization, the first and the second look, a get",
			Orgd:   fmt.Sprintf("%.3f, at %s gets/s", r.PerGet, figure.Thousands(figure.Median(r.Plain))),
			Target: fmt.Sprintf("≤ %.2f", rereadsTarget), Reached: suite.Reached(r.PerGet <= rereadsTarget),
		})
		return
	}
	ratio := figure.MedianRatio(r.Plain, r.Once, func(perSecond float64) float64 { return perSecond })
	m.s.Add(suite.Row{
		What: what + "; yardstick: without the second look at the organization",
		Orgd: figure.Thousands(figure.Median(r.Plain)) + " /s", Yardstick: figure.Thousands(figure.Median(r.Once)) + " /s", Ratio: figure.Percent(ratio),
		Target: "≥ " + figure.Percent(rereadTarget), Reached: suite.Reached(ratio >= rereadTarget),
	})
	m.s.Note("The yardstick of a document's get without the second look is the same code on an engine that answers the second look from memory of the request.")
}
