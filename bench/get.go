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
	for _, ordinary := range []bool{true, false} {
		r, ratio, err := s.compareGets(ctx, orgd, bare, ordinary)
		if err != nil {
			return err
		}
		kind := "that cost next to nothing"
		if ordinary {
			kind = "of net/http"
		}
		r.what = fmt.Sprintf("`GET /org/get`, %d clients %s, %s; yardstick: bare Echo, same bytes", getClients, kind, engine)
		if target > 0 && ordinary {
			r.target, r.reached = "≥ "+percent(target), verdictOf(ratio >= target)
		}
		s.add(r)
	}
	s.note("`GET /org/get` is measured with two kinds of clients on the same processors as the servers. Those of net/http are what a program in Go " +
		"has, and take half of the processors for themselves; the others show the servers' own cost. The target is for the first.")
	return nil
}

func (s *suite) compareGets(ctx context.Context, orgd, bare *server, ordinary bool) (r row, ratio float64, err error) {
	gets := load{clients: getClients, lasts: s.window, ordinary: ordinary, do: func(c client, _ int) error {
		_, err := c.do(lookup(0), 200)
		return err
	}}
	ours, theirs, err := s.alternate(
		func() (sample, error) { return gets.run(ctx, orgd) },
		func() (sample, error) { return gets.run(ctx, bare) },
	)
	if err != nil {
		return row{}, 0, err
	}
	ratio = medianRatio(ours, theirs, rate)
	return row{orgd: shown(medianSample(ours)), yardstick: shown(medianSample(theirs)), ratio: percent(ratio)}, ratio, nil
}

// shown is a sample as a cell.
func shown(x sample) string {
	text := fmt.Sprintf("%s /s, p50 %s, p99 %s", thousands(x.perSecond), short(x.p50), short(x.p99))
	if x.cpu > 0 && x.cpu < time.Millisecond {
		text += fmt.Sprintf(", a request %s of processor and %s of the client's", short(x.cpu), short(x.client))
	}
	return text
}

// once sends one request on a connection of its own.
func (v *server) once(req request, want int) ([]byte, error) {
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

func lookup(n int) request {
	return newRequest("GET", "/org/get?organization_name="+url.QueryEscape(orgName(n)), nil)
}

func create(n int) request {
	return post("/org/create", map[string]string{"organization_name": orgName(n), "email": adminEmail(n), "password": password})
}

func login(n int) request {
	return post("/admin/login", map[string]string{"email": adminEmail(n), "password": password})
}

func post(path string, body map[string]string) request {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings can be marshaled
	}
	return newRequest("POST", path, data)
}

// fill creates organizations from number begin up to but not including end.
func fill(ctx context.Context, orgd *server, begin, end int) error {
	_, err := creates(begin, end).run(ctx, orgd)
	return err
}

// createClients is how many create organizations at a time.
const createClients = 16

func creates(begin, end int) load {
	return load{clients: createClients, count: end - begin, do: func(c client, n int) error {
		_, err := c.do(create(begin+n), 201)
		return err
	}}
}
