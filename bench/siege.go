package main

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
)

// What has to hold whoever comes.
const (
	siegeMemory = 1 << 30 // resident bytes at the peak
	siegeFactor = 5.0     // a victim's p99, of what it is without hostile clients: -factor's default
	// siegeFloor is what p99 may be at any rate: what a scheduler of two busy processors
	// takes is not orgd's.
	siegeFloor = 25 * time.Millisecond
)

// A siege is orgd with a victim, who goes on as anybody does, and hostile clients of one
// kind after the other.
type siege struct {
	*suite
	stderr  io.Writer
	orgd    *server
	victim  tenantOf
	tenants []tenantOf // the hostile ones; a kind uses as many as it is told
	lasts   time.Duration
	factor  float64  // of siegeFactor's kind; 0: p99 is not looked at
	broken  []string // what did not hold
}

// siegeCommand is the program's command of that name. Its exit code is 1 when something
// did not hold.
func siegeCommand(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("siege", flag.ContinueOnError)
	flags.SetOutput(stderr)
	lasts := flags.Duration("lasts", 5*time.Second, "how long each kind goes on")
	counts := flags.String("tenants", "1,10", "how many hostile organizations, one number after the other")
	factor := flags.Float64("factor", siegeFactor, "how many times what it was a victim's p99 may be; 0: it is not judged")
	chosen := flags.String("kinds", "", "the kinds of hostile clients, separated by commas (default: all)")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	g := &siege{lasts: *lasts, factor: *factor, stderr: stderr}
	err := g.run(ctx, *counts, *chosen, stdout)
	if err == nil && len(g.broken) > 0 {
		err = errors.New(strings.Join(g.broken, "\n"))
	}
	return exitCode(stderr, err)
}

func (g *siege) run(ctx context.Context, counts, chosen string, stdout io.Writer) error {
	var numbers []int
	for text := range strings.SplitSeq(counts, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-tenants: %q is no number of organizations", text)
		}
		numbers = append(numbers, n)
	}
	var err error
	if g.suite, err = newSuite(ctx, true, g.stderr); err != nil {
		return err
	}
	defer g.close()
	if err := g.begin(ctx, slices.Max(numbers)); err != nil {
		return err
	}
	defer g.orgd.stop()
	fmt.Fprintf(stdout, "| kind | tenants | p99 before | p99 beside | ratio | memory, peak | answers |\n|---|---|---|---|---|---|---|\n")
	for _, k := range siegeKinds {
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

// begin starts orgd, without a limit of Go's own on memory, and enrolls everybody.
func (g *siege) begin(ctx context.Context, tenants int) error {
	var err error
	if g.orgd, err = g.startOrgd(ctx, "siege", "BCRYPT_COST=4"); err != nil {
		return err
	}
	if g.victim, err = enroll(g.orgd); err != nil {
		return err
	}
	if _, err := g.victim.load(ctx, 1000, func(dst []byte, n int) []byte { return append(appendDocument(dst, n), '\n') }); err != nil {
		return err
	}
	for n := range tenants {
		t, err := enrollAs(g.orgd, n+1)
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
func (g *siege) besiege(ctx context.Context, k siegeKind, tenants []tenantOf) (string, error) {
	g.progress("%s by %d", k.name, len(tenants))
	g.calm(ctx)
	before, err := g.sample(ctx)
	if err != nil {
		return "", err
	}
	forgetPeak(g.orgd.pid())
	beside, seen, err := g.beside(ctx, k, tenants)
	if err != nil {
		return "", errors.Join(err, g.orgd.ended())
	}
	_, peak, err := memory(g.orgd.pid())
	if err != nil {
		return "", errors.Join(err, g.orgd.ended())
	}
	ratio := float64(beside.p99) / float64(before.p99)
	g.judge(k, len(tenants), beside.p99, ratio, peak, seen)
	return fmt.Sprintf("| %s | %d | %s | %s | %.1f | %d MiB | %s |", k.name, len(tenants), short(before.p99), short(beside.p99), ratio, peak>>20, seen), nil
}

// beside measures the victim beside hostile clients. They are a process of their own that
// has the processors last: what they take themselves, on another machine, is not orgd's.
func (g *siege) beside(ctx context.Context, k siegeKind, tenants []tenantOf) (sample, siegeAnswers, error) {
	lead := g.lasts / 5 // until they are all there
	args := []string{g.self, "hostile", k.name, g.orgd.addr, (g.lasts + 2*lead).String()}
	if nice, err := exec.LookPath("nice"); err == nil {
		args = append([]string{nice, "-n", "19"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var tokens, answers bytes.Buffer
	for _, t := range tenants {
		fmt.Fprintln(&tokens, t.token)
	}
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = environment(), &tokens, &answers, os.Stderr
	if err := cmd.Start(); err != nil {
		return sample{}, nil, err
	}
	time.Sleep(lead)
	x, err := g.sample(ctx)
	seen := siegeAnswers{}
	err = errors.Join(err, cmd.Wait(), json.Unmarshal(answers.Bytes(), &seen))
	return x, seen, err
}

// calmFor bounds the wait for orgd to be done with what the kind before has left.
const calmFor = 30 * time.Second

// calm waits until orgd has nothing to do: tables to write anew, an index to give up.
func (g *siege) calm(ctx context.Context) {
	const look = 250 * time.Millisecond
	for end := time.Now().Add(calmFor); time.Now().Before(end) && ctx.Err() == nil; {
		used := cpuTime(g.orgd.pid())
		time.Sleep(look)
		if cpuTime(g.orgd.pid())-used < look/10 {
			return
		}
	}
}

func (g *siege) judge(k siegeKind, tenants int, p99 time.Duration, ratio float64, peak int64, seen siegeAnswers) {
	where := fmt.Sprintf("%s by %d: ", k.name, tenants)
	if g.factor > 0 && ratio > g.factor && p99 > siegeFloor {
		g.broken = append(g.broken, fmt.Sprintf("%sa victim's p99 is %.1f times what it was, %s", where, ratio, short(p99)))
	}
	if peak > siegeMemory {
		g.broken = append(g.broken, fmt.Sprintf("%s%d MiB resident", where, peak>>20))
	}
	for status := range seen {
		if status >= 500 && status != 503 && status != 507 {
			g.broken = append(g.broken, fmt.Sprintf("%sanswers of %d", where, status))
		}
	}
}

// sample is what somebody sees who reads and writes a document now and then.
func (g *siege) sample(ctx context.Context) (sample, error) {
	return load{clients: 2, pause: 3 * time.Millisecond, lasts: g.lasts, do: func(c client, n int) error {
		r := newRequestAs(g.victim.token, "GET", "/org/documents/"+documentID(n%1000), nil)
		switch n % 4 {
		case 1:
			r = newRequestAs(g.victim.token, "PUT", "/org/documents/"+documentID(n%1000), appendDocument(nil, n%1000))
		case 2:
			r = newRequestAs(g.victim.token, "GET", "/org/documents?limit=10", nil)
		}
		_, err := c.do(r, 200)
		return err
	}}.run(ctx, g.orgd)
}
