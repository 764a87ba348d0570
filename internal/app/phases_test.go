package app

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestALongPhaseOfAStartIsInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := phases{log: slog.New(slog.NewTextHandler(&log, nil))}
		for what, took := range map[string]time.Duration{"the quick": phaseGrace / 2, "the slow": 5 * phaseGrace} {
			p.begin(what)
			time.Sleep(took)
			synctest.Wait()
		}
		p.begin("the last")
		p.end()
		time.Sleep(2 * phaseGrace)
		synctest.Wait()
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `msg="still starting: the slow"`) {
			t.Errorf("the log is\n%s", got)
		}
	})
}
