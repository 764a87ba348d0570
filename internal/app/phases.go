package app

import (
	"log/slog"
	"time"
)

// phaseGrace is for how long a start may be at something before the log says what.
const phaseGrace = time.Second

// phases tell the log what a start waits for: one line for each thing that takes longer
// than phaseGrace.
type phases struct {
	log   *slog.Logger
	timer *time.Timer
}

// begin ends the phase before. What holds no secret.
func (p *phases) begin(what string) {
	p.end()
	p.timer = time.AfterFunc(phaseGrace, func() { p.log.Info("still starting: " + what) })
}

func (p *phases) end() {
	if p.timer != nil {
		p.timer.Stop()
	}
}
