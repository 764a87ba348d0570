// Package organization creates organizations on an orgd and acts for their admins: the
// requests, sessions with a token, imports and exports that the benchmarks share.
package organization

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/fixture"
	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/machine"
	"github.com/orgd/orgd/bench/process"
	"github.com/orgd/orgd/bench/suite"
)

// A Session is an organization on an orgd, with a token of the organization's admin.
type Session struct {
	Orgd  *process.Server
	Token string
}

// Start starts an orgd and enrolls an organization.
func Start(ctx context.Context, s *suite.Suite, dir string, settings ...string) (Session, error) {
	orgd, err := s.StartOrgd(ctx, dir, append([]string{"BCRYPT_COST=4"}, settings...)...)
	if err != nil {
		return Session{}, err
	}
	t, err := Enroll(orgd)
	if err != nil {
		_ = orgd.Stop()
	}
	return t, err
}

// Enroll creates organization number 0 and logs in.
func Enroll(orgd *process.Server) (Session, error) { return EnrollAs(orgd, 0) }

// EnrollAs creates organization number n and logs in.
func EnrollAs(orgd *process.Server, n int) (Session, error) {
	if _, err := orgd.Once(CreateRequest(n), 201); err != nil {
		return Session{}, err
	}
	body, err := orgd.Once(LoginRequest(n), 200)
	if err != nil {
		return Session{}, err
	}
	var token struct {
		Token string `json:"access_token"`
	}
	err = json.Unmarshal(body, &token)
	return Session{orgd, token.Token}, err
}

// Index creates an index on a path.
func (t Session) Index(path string, unique bool) error {
	body := fmt.Appendf(nil, `{"name":"by_%s","keys":[{"path":%q}],"unique":%v}`, path, path, unique)
	_, err := t.Orgd.Once(client.NewRequestAs(t.Token, "POST", "/org/indexes", body), 201)
	return err
}

// FillDocuments imports documents 0 up to count into an organization with one unique index.
func (t Session) FillDocuments(ctx context.Context, count int) error {
	if err := t.Index("email", true); err != nil {
		return err
	}
	_, err := t.Load(ctx, count, func(dst []byte, n int) []byte { return append(fixture.Append(dst, n), '\n') })
	return err
}

// Transfer measures an import or an export, which says how many documents it had.
func (t Session) Transfer(do func() (documents int, err error)) (load.Sample, error) {
	cpu, began := machine.CPUTime(t.Orgd.Pid()), time.Now()
	n, err := do()
	took := time.Since(began)
	return load.Sample{Requests: n, PerSecond: float64(n) / took.Seconds(),
		CPU: (machine.CPUTime(t.Orgd.Pid()) - cpu) / time.Duration(max(n, 1))}, err
}
