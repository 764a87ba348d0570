package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded"
	"github.com/orgd/orgd/internal/tenant"
)

// A Diagnosis is the findings of a doctor, and its repairs before that.
type Diagnosis struct {
	tenant.Report
	// Repaired are the findings, by check, that the repair has ended.
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
	storage, err := checkStorage(ctx, engine)
	if err != nil {
		return Diagnosis{}, err
	}
	d := tenant.NewDoctor(ctx, storeConfig(&App{cfg: cfg, log: log, engine: engine}))
	d.Deep = cfg.DoctorDeep
	report, err := d.Diagnose(ctx)
	if err != nil {
		return Diagnosis{}, errors.Join(err, damage(storage))
	}
	report.Checks = slices.Concat(storage, report.Checks)
	if !fix {
		return Diagnosis{Report: report, Repaired: []tenant.Check{}}, nil
	}
	if err := d.Repair(ctx); err != nil {
		log.WarnContext(ctx, "not everything could be repaired", "error", err)
	}
	after, err := d.Diagnose(ctx)
	after.Checks = slices.Concat(storage, after.Checks)
	return Diagnosis{Report: after, Repaired: repaired(report, after)}, err
}

// A verifier is an engine that can read all that it has written: the embedded engine.
type verifier interface {
	VerifyTables(ctx context.Context) (damaged map[string]error, err error)
}

// checkStorage checks that the embedded engine reads back what it has written. Of a damaged
// table it cannot be said which documents are there, or that they are as they were.
func checkStorage(ctx context.Context, engine docdb.Engine) ([]tenant.Check, error) {
	v, ok := engine.(verifier)
	if !ok {
		return nil, nil
	}
	damaged, err := v.VerifyTables(ctx)
	if err != nil {
		return nil, err
	}
	check := tenant.Check{Name: "storage", About: "every block of the storage reads as it was written", Findings: []tenant.Finding{}}
	for _, name := range slices.Sorted(maps.Keys(damaged)) {
		check.Findings = append(check.Findings, tenant.Finding{Subject: name, Detail: "is damaged: " + damaged[name].Error(),
			Remedy: "Restore DATA_DIR from a backup: documents in this file are lost."})
	}
	return []tenant.Check{check}, nil
}

// damage is the diagnosis where the storage is damaged and nothing else could be checked.
func damage(storage []tenant.Check) (err error) {
	for _, c := range storage {
		for _, f := range c.Findings {
			err = errors.Join(err, fmt.Errorf("%s %s. %s", f.Subject, f.Detail, f.Remedy))
		}
	}
	return err
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

// repaired lists the findings of the first report that are not in the second.
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
