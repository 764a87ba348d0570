package app

import (
	"log/slog"
	"time"
)

// phaseGrace is how long a phase of a start may take before the log names it.
const phaseGrace = time.Second

// phases tell the log what a start waits for: a line for each phase that takes longer
// than phaseGrace.
type phases struct {
	log   *slog.Logger
	timer *time.Timer
}

// begin begins a phase and ends the one before. Its name, what, holds no secret.
func (p *phases) begin(what string) {
	p.end()
	p.timer = time.AfterFunc(phaseGrace, func() { p.log.Info("still starting: " + what) })
}

func (p *phases) end() {
	if p.timer != nil {
		p.timer.Stop()
	}
}
