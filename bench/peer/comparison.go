package peer

import (
	"context"
	"fmt"

	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/suite"
)

// driverTarget is the share of the bare driver's speed that orgd has to reach.
const driverTarget = 0.80

// A comparison is that of orgd with its two yardsticks.
type comparison struct {
	*suite.Suite
	orgd, fastapi *service
	loop          *driverLoop
}

// An operation is what is measured.
type operation struct {
	what   string
	target float64 // times the peer; 0 is none
	do     func(*service) do
	bare   do  // with the bare driver; nil where that is not compared
	count  int // requests in a round; 0 is as many as there are in its time
}

func (c *comparison) all(ctx context.Context) error {
	updates := func(change func(*member) map[string]any) func(*service) do {
		return func(v *service) do { return v.update(change) }
	}
	for _, op := range []operation{
		{what: "`GET /org/get` by name", target: 3, do: func(v *service) do { return v.get }, bare: c.loop.get},
		{what: "`POST /admin/login`", target: 1.5, do: func(v *service) do { return v.login }, bare: c.loop.login},
		{what: "`POST /org/create`", target: 1.5, do: func(v *service) do { return v.create }, bare: c.loop.create},
		{what: "`PUT /org/update` of the password and a login; nothing moves", target: 1.5, do: updates(newPassword)},
		{what: "the same as orgd's default is, which moves to a fresh collection; in the peer nothing moves", do: updates(newPasswordAndPlace)},
		{what: "`PUT /org/update` of name and password and a login; both move to a fresh collection", target: 1.5, do: updates(newName)},
	} {
		if err := c.measure(ctx, op); err != nil {
			return err
		}
	}
	c.explain()
	return c.measure(ctx, operation{what: "a login and `DELETE /org/delete`", count: c.deletes(), do: func(v *service) do { return v.remove }})
}

// deletes is how many organizations can be deleted in each round, of those that were
// created.
func (c *comparison) deletes() int {
	made := min(c.orgd.made.Load(), c.fastapi.made.Load())
	return min(int(made)/(c.Rounds+1), 10*clients)
}

// measure measures one operation with all that are compared, in turns.
func (c *comparison) measure(ctx context.Context, op operation) error {
	at := func(v *service) func() (sample, error) {
		do := op.do(v)
		return c.counted(ctx, v.run(c.load(op, do)))
	}
	sides := []func() (sample, error){at(c.orgd), at(c.fastapi)}
	if op.bare != nil {
		sides = append(sides, c.counted(ctx, c.load(op, op.bare).RunHere))
	}
	all, err := suite.Turns(c.Rounds, sides...)
	if err != nil {
		return fmt.Errorf("%s: %w", op.what, err)
	}
	c.add(op.what+"; yardstick: the FastAPI peer", all[0], all[1], op.target, times)
	if op.bare != nil {
		c.add(op.what+"; yardstick: the bare driver", all[0], all[2], driverTarget, figure.Percent)
	}
	return nil
}

func (c *comparison) load(op operation, do do) load.Load {
	l := load.Load{Clients: clients, Count: op.count, Do: do}
	if op.count == 0 {
		l.Lasts = c.Window
	}
	return l
}

func (c *comparison) counted(ctx context.Context, run func(context.Context) (load.Sample, error)) func() (sample, error) {
	return func() (sample, error) { return counted(ctx, c.loop.server, run) }
}

// add adds a row; target 0 is none.
func (c *comparison) add(what string, ours, theirs []sample, target float64, shown func(float64) string) {
	ratio := figure.MedianRatio(ours, theirs, func(x sample) float64 { return x.PerSecond })
	r := suite.Row{What: what, Orgd: cell(ours), Yardstick: cell(theirs), Ratio: shown(ratio)}
	if target > 0 {
		r.Target, r.Reached = "≥ "+shown(target), suite.Reached(ratio >= target)
	}
	c.Add(r)
}

func times(ratio float64) string { return fmt.Sprintf("%.2f ×", ratio) }

// cell is the median of each figure.
func cell(all []sample) string {
	var samples []load.Sample
	for _, x := range all {
		samples = append(samples, load.Sample{PerSecond: x.PerSecond, P50: x.P50, P99: x.P99})
	}
	each := figure.MedianOf(all, sample.each)
	return fmt.Sprintf("%s; %.1f commands each, %s commands/s", load.Median(samples), each,
		figure.Thousands(figure.MedianOf(all, func(x sample) float64 { return x.each() * x.PerSecond })))
}

// explain says below the table how it was measured.
func (c *comparison) explain() {
	c.Note(fmt.Sprintf("%d clients of each, which cost next to nothing, over keep-alive connections on 127.0.0.1; %d rounds of %s in turns after one that "+
		"is thrown away; bcrypt cost %d. All figures are medians over the rounds. All programs, the server and the clients share the processors.",
		clients, c.Rounds, c.Window, cost))
	c.Note("Commands are those that the server has counted (serverStatus, metrics.commands) but for the drivers' own, such as hello; " +
		"orgd's periodic ones, of which there are a few a second, are among them.")
	c.Note("The bare driver sends, without HTTP, what orgd cannot do without: " + necessary + ". " +
		"It has orgd's read and write concern, the indexes of its own master database, and hashes and compares with the same bcrypt.")
}
