package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"

	"github.com/orgd/orgd/internal/app"
	"github.com/orgd/orgd/internal/tenant"
)

// The exit codes of orgd doctor.
const (
	allWell       = 0
	hasFindings   = 1
	couldNotCheck = 2
)

func doctor(args []string, stdout, stderr io.Writer) int {
	var fix, asJSON, deep, verbose bool
	for _, arg := range args {
		switch arg {
		case "--fix", "-fix":
			fix = true
		case "--json", "-json":
			asJSON = true
		case "--deep", "-deep":
			deep = true
		case "--verbose", "-verbose":
			verbose = true
		default:
			return complain(stderr, fmt.Errorf("doctor takes --fix, --deep, --verbose and --json only, got %q; see orgd help", arg), couldNotCheck)
		}
	}
	cfg, err := app.Load(os.Environ(), dotenv)
	if err != nil {
		return complain(stderr, err, couldNotCheck)
	}
	cfg.DoctorDeep = cfg.DoctorDeep || deep
	cfg.LogLevel = max(cfg.LogLevel, slog.LevelWarn) // the report is what is asked for
	ctx, stop := untilSignaled()
	defer stop()
	found, err := app.Diagnose(ctx, cfg, fix, app.NewLogger(cfg, stderr))
	if err != nil {
		return complain(stderr, err, couldNotCheck)
	}
	if asJSON {
		err = writeJSON(stdout, found)
	} else {
		err = writeReport(stdout, found, verbose)
	}
	if err != nil {
		return complain(stderr, err, couldNotCheck)
	}
	if found.Findings() > 0 {
		return hasFindings
	}
	return allWell
}

func writeJSON(w io.Writer, d app.Diagnosis) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(d)
}

// writeReport prints a table, and below each check its findings; the findings that need
// no attention only if verbose.
func writeReport(w io.Writer, d app.Diagnosis, verbose bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CHECK\tFINDINGS\tWHAT HOLDS")
	for _, c := range d.Checks {
		fmt.Fprintf(table, "%s\t%d\t%s\n", c.Name, c.Open(), c.About)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, c := range d.Checks {
		writeFindings(w, c, verbose)
	}
	for _, c := range d.Repaired {
		for _, f := range c.Findings {
			fmt.Fprintf(w, "\nrepaired: %s: %s %s\n", c.Name, f.Subject, f.Detail)
		}
	}
	fmt.Fprintln(w)
	contents := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(contents, "COLLECTION\tDOCUMENTS\tORGANIZATION")
	for _, c := range d.Collections {
		fmt.Fprintf(contents, "%s\t%d\t%s\n", c.Collection, c.Documents, c.Organization)
	}
	if err := contents.Flush(); err != nil {
		return err
	}
	for _, k := range d.Kept {
		fmt.Fprintf(w, "\n%s is kept with %d documents: %d are older where the data is now, %d deleted ones are back, %d are not there any more\n",
			k.Collection, k.Documents, k.Behind, k.Revived, k.Absent)
	}
	_, err := fmt.Fprintf(w, "\n%s\n", summary(d.Findings()))
	return err
}

func writeFindings(w io.Writer, c tenant.Check, verbose bool) {
	for _, f := range c.Findings {
		if f.Pending && !verbose {
			continue
		}
		fmt.Fprintf(w, "\n%s: %s %s\n  %s\n", c.Name, f.Subject, f.Detail, f.Remedy)
	}
}

func summary(findings int) string {
	switch findings {
	case 0:
		return "All is well."
	case 1:
		return "1 finding."
	}
	return fmt.Sprintf("%d findings.", findings)
}
