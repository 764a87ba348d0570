package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

// getClients is how many connections GET /org/get is measured with: enough to
// keep all processors busy.
const getClients = 16

// get measures what lies between an Echo handler and its answer.
func (s *suite) get(ctx context.Context) error {
	orgd, err := s.startOrgd(ctx, "get", "BCRYPT_COST=4")
	if err != nil {
		return err
	}
	defer orgd.stop()
	return s.getOn(ctx, orgd, "embedded engine", 0.60)
}

// getOn measures it on an orgd; target 0 is none.
func (s *suite) getOn(ctx context.Context, orgd *server, engine string, target float64) error {
	if err := fill(ctx, orgd, 0, 1); err != nil {
		return err
	}
	body, err := orgd.once(lookup(0), 200)
	if err != nil {
		return err
	}
	bare, err := s.startHelper(ctx, "bare-echo", string(body))
	if err != nil {
		return err
	}
	defer bare.stop()
	gets := load{clients: getClients, lasts: s.window, do: func(c *client, _ int) error {
		_, err := c.do(lookup(0), 200)
		return err
	}}
	ours, theirs, err := s.alternate(
		func() (sample, error) { return gets.run(ctx, orgd) },
		func() (sample, error) { return gets.run(ctx, bare) },
	)
	if err != nil {
		return err
	}
	ratio := medianRatio(ours, theirs, rate)
	r := row{
		what: fmt.Sprintf("`GET /org/get`, %d clients, %s; yardstick: bare Echo, same bytes", getClients, engine),
		orgd: shown(medianSample(ours)), yardstick: shown(medianSample(theirs)), ratio: percent(ratio),
	}
	if target > 0 {
		r.target, r.reached = "≥ "+percent(target), verdictOf(ratio >= target)
	}
	s.add(r)
	return nil
}

// shown is a sample as a cell.
func shown(x sample) string {
	text := fmt.Sprintf("%s /s, p50 %s, p99 %s", thousands(x.perSecond), short(x.p50), short(x.p99))
	if x.cpu > 0 && x.cpu < time.Millisecond {
		text += fmt.Sprintf(", %s of processor each", short(x.cpu))
	}
	return text
}

// once sends one request on a connection of its own.
func (v *server) once(req []byte, want int) ([]byte, error) {
	c, err := dial(v.addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return c.do(req, want)
}

// What organization number n is called, and its admin.
func orgName(n int) string    { return fmt.Sprintf("Bench %06d", n) }
func adminEmail(n int) string { return fmt.Sprintf("admin-%06d@bench.example", n) }

func lookup(n int) []byte {
	return request("GET", "/org/get?organization_name="+url.QueryEscape(orgName(n)), nil)
}

func create(n int) []byte {
	return post("/org/create", map[string]string{"organization_name": orgName(n), "email": adminEmail(n), "password": password})
}

func login(n int) []byte {
	return post("/admin/login", map[string]string{"email": adminEmail(n), "password": password})
}

func post(path string, body map[string]string) []byte {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings can be marshaled
	}
	return request("POST", path, data)
}

// fill creates organizations from number begin up to but not including end.
func fill(ctx context.Context, orgd *server, begin, end int) error {
	_, err := creates(begin, end).run(ctx, orgd)
	return err
}

// createClients is how many create organizations at a time.
const createClients = 16

func creates(begin, end int) load {
	return load{clients: createClients, count: end - begin, do: func(c *client, n int) error {
		_, err := c.do(create(begin+n), 201)
		return err
	}}
}
