package peer

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/organization"
	"github.com/orgd/orgd/bench/process"
)

// A service is orgd or the FastAPI program: both get the same requests.
type service struct {
	server *process.Server
	// members are organizations that are updated, each by a single client at a time.
	members chan *member
	// made counts the organizations that were created while that was measured, from number
	// firstMade; deleted counts those of them that are gone.
	made, deleted atomic.Int64
}

// firstMade is the number of the first organization that is created while that is measured.
const firstMade = 100_000

func newService(v *process.Server) *service {
	return &service{server: v, members: make(chan *member, clients)}
}

// fill creates the organizations that are there from the beginning, and the members.
func (v *service) fill(ctx context.Context) error {
	if err := organization.CreateAll(ctx, v.server, 0, there+clients); err != nil {
		return err
	}
	for n := there; n < there+clients; n++ {
		m := &member{number: n, name: organization.Name(n), password: organization.Password}
		if err := m.login(v.server.Once); err != nil {
			return err
		}
		v.members <- m
	}
	return nil
}

// A do is what one client does, once.
type do func(client.Client, int) error

func (v *service) create(c client.Client, _ int) error {
	n := firstMade + int(v.made.Add(1)) - 1
	_, err := c.Do(organization.CreateRequest(n), 201)
	return err
}

func (v *service) get(c client.Client, n int) error {
	_, err := c.Do(organization.LookupRequest(spread(n)), 200)
	return err
}

func (v *service) login(c client.Client, n int) error {
	_, err := c.Do(organization.LoginRequest(spread(n)), 200)
	return err
}

// spread chooses an organization of those that are there from the beginning.
func spread(n int) int { return n * 97 % there }

// update changes an organization and logs its admin in again.
func (v *service) update(change func(*member) map[string]any) do {
	return func(c client.Client, _ int) error {
		m := <-v.members
		defer func() { v.members <- m }()
		m.changes++
		m.password = fmt.Sprintf("%s %d", organization.Password, m.changes)
		body, err := json.Marshal(change(m))
		if err != nil {
			return err
		}
		if _, err := c.Do(client.NewRequestAs(m.token, "PUT", "/org/update", body), 200); err != nil {
			return err
		}
		return m.login(c.Do)
	}
}

// remove logs in for one of the organizations that were created, and deletes it.
func (v *service) remove(c client.Client, _ int) error {
	n := firstMade + int(v.deleted.Add(1)) - 1
	m := &member{number: n, password: organization.Password}
	if err := m.login(c.Do); err != nil {
		return err
	}
	_, err := c.Do(client.NewRequestAs(m.token, "DELETE", "/org/delete", nil), 200)
	return err
}

// run measures what clients do at the service.
func (v *service) run(l load.Load) func(context.Context) (load.Sample, error) {
	return func(ctx context.Context) (load.Sample, error) { return l.Run(ctx, v.server) }
}

// A member is an organization with its admin's token.
type member struct {
	number         int
	name, password string
	token          string
	changes        int
}

// login gets a token.
func (m *member) login(send func(client.Request, int) ([]byte, error)) error {
	body, err := json.Marshal(map[string]string{"email": organization.Email(m.number), "password": m.password})
	if err != nil {
		return err
	}
	answer, err := send(client.NewRequest("POST", "/admin/login", body), 200)
	if err != nil {
		return err
	}
	var token struct {
		Token string `json:"access_token"`
	}
	err = json.Unmarshal(answer, &token)
	m.token = token.Token
	return err
}

// The changes of an update have what the mission's request has: name, e-mail address and password.

// newPassword leaves the data where it is: the FastAPI program moves it only to the collection of
// another name, orgd unless it is told not to.
func newPassword(m *member) map[string]any {
	change := newPasswordAndPlace(m)
	change["migrate"] = false
	return change
}

// newPasswordAndPlace has orgd move the data to a fresh collection, which is its default.
func newPasswordAndPlace(m *member) map[string]any {
	return map[string]any{"organization_name": m.name, "email": organization.Email(m.number), "password": m.password}
}

// newName has both move the data to a fresh collection.
func newName(m *member) map[string]any {
	m.name = fmt.Sprintf("%s or %d", organization.Name(m.number), m.changes%2)
	return newPasswordAndPlace(m)
}
