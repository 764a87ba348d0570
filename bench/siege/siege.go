// Package siege besieges orgd with hostile clients of many kinds, and measures what a
// victim, an organization that does no harm, notices of them.
package siege

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/bench/fixture"
	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/machine"
	"github.com/orgd/orgd/bench/organization"
	"github.com/orgd/orgd/bench/process"
	"github.com/orgd/orgd/bench/suite"
)

// What has to hold beside every kind of hostile clients.
const (
	maxMemory = 1 << 30 // resident bytes at the peak
	maxFactor = 5.0     // a victim's p99, of what it is without hostile clients: -factor's default
	// p99Floor is what p99 may be at any rate: what a scheduler of two busy processors
	// takes is not orgd's.
	p99Floor = 25 * time.Millisecond
)

// A siege is orgd with a victim, which reads and writes as any organization does, and
// hostile clients of one kind after the other.
type siege struct {
	*suite.Suite
	stderr  io.Writer
	orgd    *process.Server
	victim  organization.Session
	tenants []organization.Session // the hostile organizations
	lasts   time.Duration
	factor  float64  // as maxFactor; 0: p99 is not judged
	broken  []string // what did not hold
}

// Command is `bench siege`. It returns the exit code, which is 1 when something did not
// hold.
func Command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("siege", flag.ContinueOnError)
	flags.SetOutput(stderr)
	lasts := flags.Duration("lasts", 5*time.Second, "how long each kind goes on")
	counts := flags.String("tenants", "1,10", "how many hostile organizations, one number after the other")
	factor := flags.Float64("factor", maxFactor, "how many times what it was a victim's p99 may be; 0: it is not judged")
	chosen := flags.String("kinds", "", "the kinds of hostile clients, separated by commas (default: all)")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	g := &siege{lasts: *lasts, factor: *factor, stderr: stderr}
	err := g.run(ctx, *counts, *chosen, stdout)
	if err == nil && len(g.broken) > 0 {
		err = errors.New(strings.Join(g.broken, "\n"))
	}
	return suite.ExitCode(stderr, err)
}

func (g *siege) run(ctx context.Context, counts, chosen string, stdout io.Writer) error {
	var numbers []int
	for text := range strings.SplitSeq(counts, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-tenants: %q is not a number of organizations from 1 on", text)
		}
		numbers = append(numbers, n)
	}
	var err error
	if g.Suite, err = suite.New(ctx, true, g.stderr); err != nil {
		return err
	}
	defer g.Close()
	if err := g.begin(ctx, slices.Max(numbers)); err != nil {
		return err
	}
	defer g.orgd.Stop()
	fmt.Fprintf(stdout, "| kind | tenants | p99 before | p99 beside | ratio | memory, peak | answers |\n|---|---|---|---|---|---|---|\n")
	for _, k := range kinds {
		if chosen != "" && !slices.Contains(strings.Split(chosen, ","), k.name) {
			continue
		}
		for _, n := range numbers {
			line, err := g.besiege(ctx, k, g.tenants[:n])
			if err != nil {
				return fmt.Errorf("%s by %d: %w", k.name, n, err)
			}
			fmt.Fprintln(stdout, line)
		}
	}
	return nil
}

// begin starts orgd, without a limit of Go's own on memory, and enrolls the victim and the hostile organizations.
func (g *siege) begin(ctx context.Context, tenants int) error {
	var err error
	if g.orgd, err = g.StartOrgd(ctx, "siege", "BCRYPT_COST=4"); err != nil {
		return err
	}
	if g.victim, err = organization.Enroll(g.orgd); err != nil {
		return err
	}
	if _, err := g.victim.Load(ctx, 1000, func(dst []byte, n int) []byte { return append(fixture.Append(dst, n), '\n') }); err != nil {
		return err
	}
	for n := range tenants {
		t, err := organization.EnrollAs(g.orgd, n+1)
		if err != nil {
			return err
		}
		if err := g.arm(ctx, t); err != nil {
			return err
		}
		g.tenants = append(g.tenants, t)
	}
	return nil
}

// besiege measures the victim before and beside hostile clients.
func (g *siege) besiege(ctx context.Context, k kind, tenants []organization.Session) (string, error) {
	g.Progress("%s by %d", k.name, len(tenants))
	g.calm(ctx)
	before, err := g.sample(ctx)
	if err != nil {
		return "", err
	}
	machine.ForgetPeak(g.orgd.Pid())
	beside, seen, err := g.beside(ctx, k, tenants)
	if err != nil {
		return "", errors.Join(err, g.orgd.Ended())
	}
	_, peak, err := machine.Memory(g.orgd.Pid())
	if err != nil {
		return "", errors.Join(err, g.orgd.Ended())
	}
	ratio := float64(beside.P99) / float64(before.P99)
	g.judge(k, len(tenants), beside.P99, ratio, peak, seen)
	return fmt.Sprintf("| %s | %d | %s | %s | %.1f | %d MiB | %s |", k.name, len(tenants), figure.Short(before.P99), figure.Short(beside.P99), ratio, peak>>20, seen), nil
}

// beside measures the victim beside hostile clients. These are a process of their own
// with the lowest priority: the processor time that they take would in earnest be that of
// another machine.
func (g *siege) beside(ctx context.Context, k kind, tenants []organization.Session) (load.Sample, tally, error) {
	lead := g.lasts / 5 // until all hostile clients are at work
	args := []string{g.Self, "hostile", k.name, g.orgd.Addr, (g.lasts + 2*lead).String()}
	if nice, err := exec.LookPath("nice"); err == nil {
		args = append([]string{nice, "-n", "19"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var tokens, answers bytes.Buffer
	for _, t := range tenants {
		fmt.Fprintln(&tokens, t.Token)
	}
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = process.Environment(), &tokens, &answers, os.Stderr
	if err := cmd.Start(); err != nil {
		return load.Sample{}, nil, err
	}
	time.Sleep(lead)
	x, err := g.sample(ctx)
	seen := tally{}
	err = errors.Join(err, cmd.Wait(), json.Unmarshal(answers.Bytes(), &seen))
	return x, seen, err
}

// calmFor bounds the wait for orgd to be done with what the kind before has left.
const calmFor = 30 * time.Second

// calm waits until orgd has nothing to do: tables to write anew, an index to give up.
func (g *siege) calm(ctx context.Context) {
	const look = 250 * time.Millisecond
	for end := time.Now().Add(calmFor); time.Now().Before(end) && ctx.Err() == nil; {
		used := machine.CPUTime(g.orgd.Pid())
		time.Sleep(look)
		if machine.CPUTime(g.orgd.Pid())-used < look/10 {
			return
		}
	}
}

// judge notes what did not hold.
func (g *siege) judge(k kind, tenants int, p99 time.Duration, ratio float64, peak int64, seen tally) {
	where := fmt.Sprintf("%s by %d: ", k.name, tenants)
	if g.factor > 0 && ratio > g.factor && p99 > p99Floor {
		g.broken = append(g.broken, fmt.Sprintf("%sa victim's p99 is %.1f times what it was, %s", where, ratio, figure.Short(p99)))
	}
	if peak > maxMemory {
		g.broken = append(g.broken, fmt.Sprintf("%s%d MiB resident", where, peak>>20))
	}
	for status := range seen {
		if status >= 500 && status != 503 && status != 507 {
			g.broken = append(g.broken, fmt.Sprintf("%sanswers of %d", where, status))
		}
	}
}

// sample measures the requests of the victim, which reads and writes a document now and
// then.
func (g *siege) sample(ctx context.Context) (load.Sample, error) {
	return load.Load{Clients: 2, Pause: 3 * time.Millisecond, Lasts: g.lasts, Do: func(c client.Client, n int) error {
		r := client.NewRequestAs(g.victim.Token, "GET", "/org/documents/"+fixture.ID(n%1000), nil)
		switch n % 4 {
		case 1:
			r = client.NewRequestAs(g.victim.Token, "PUT", "/org/documents/"+fixture.ID(n%1000), fixture.Append(nil, n%1000))
		case 2:
			r = client.NewRequestAs(g.victim.Token, "GET", "/org/documents?limit=10", nil)
		}
		_, err := c.Do(r, 200)
		return err
	}}.Run(ctx, g.orgd)
}
