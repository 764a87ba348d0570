package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/orgd/orgd/internal/docdb/embedded"
	"github.com/orgd/orgd/internal/tenant"
)

// A Diagnosis is what a doctor has found, and repaired before.
type Diagnosis struct {
	tenant.Report
	// Repaired are the findings, by check, that are there no more.
	Repaired []tenant.Check `json:"repaired"`
}

// Diagnose checks everything that is stored. With fix it first repairs what it can
// without losing anything. An error says why it could not check.
func Diagnose(ctx context.Context, cfg Config, fix bool, log *slog.Logger) (_ Diagnosis, err error) {
	if err := readyForDoctor(cfg); err != nil {
		return Diagnosis{}, err
	}
	engine, err := openEngine(ctx, cfg, log)
	if errors.Is(err, embedded.ErrLocked) {
		return Diagnosis{}, fmt.Errorf("DATA_DIR %s is in use: stop the orgd that runs on it, then run orgd doctor again", quote(cfg.DataDir))
	}
	if err != nil {
		return Diagnosis{}, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	d := tenant.NewDoctor(ctx, storeConfig(&App{cfg: cfg, log: log, engine: engine}))
	d.Deep = cfg.DoctorDeep
	report, err := d.Diagnose(ctx)
	if err != nil || !fix {
		return Diagnosis{Report: report, Repaired: []tenant.Check{}}, err
	}
	if err := d.Repair(ctx); err != nil {
		log.WarnContext(ctx, "not everything could be repaired", "error", err)
	}
	after, err := d.Diagnose(ctx)
	return Diagnosis{Report: after, Repaired: repaired(report, after)}, err
}

// readyForDoctor refuses a directory without data, which opening it would create.
func readyForDoctor(cfg Config) error {
	if !cfg.Embedded() {
		return nil
	}
	_, err := os.Stat(filepath.Join(cfg.DataDir, "db", "FORMAT"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("DATA_DIR %s holds no data: set DATA_DIR to the directory that orgd runs on, or MONGO_URI", quote(cfg.DataDir))
	}
	return err
}

// repaired lists what is in the first report and not in the second.
func repaired(before, after tenant.Report) []tenant.Check {
	gone := []tenant.Check{}
	for i, c := range before.Checks {
		left := map[string]bool{}
		for _, f := range after.Checks[i].Findings {
			left[f.Subject] = true
		}
		was := c.Findings
		c.Findings = nil
		for _, f := range was {
			if !left[f.Subject] {
				c.Findings = append(c.Findings, f)
			}
		}
		if len(c.Findings) > 0 {
			gone = append(gone, c)
		}
	}
	return gone
}
