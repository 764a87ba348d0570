package orgd_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/orgd/orgd/internal/app/apptest"
	orgd "github.com/orgd/orgd/sdk/go"
)

var operatorKey = rand.Text() + rand.Text()

func TestOperator(t *testing.T) {
	s := apptest.Start(t, "OPERATOR_KEY="+operatorKey, "DELETE_GRACE=1h")
	c := admin(t, s.URL, acme, checked(t, 507), orgd.WithOperatorKey(operatorKey))
	ctx, op, docs := t.Context(), c.Operator(), orgd.DocumentsOf[person](c)
	o, err := c.GetOrganization(ctx, "Acme Inc")
	if err != nil {
		t.Fatal(err)
	}
	if seen, err := op.Inspect(ctx, o.ID); err != nil || seen.OrganizationName != "Acme Inc" || seen.State != orgd.StateActive {
		t.Errorf("%+v, %v", seen, err)
	}
	if seen, err := op.Suspend(ctx, o.ID); err != nil || seen.State != orgd.StateSuspended {
		t.Errorf("%+v, %v", seen, err)
	}
	if _, err := docs.Insert(ctx, person{}); !errors.Is(err, orgd.ErrSuspended) {
		t.Error(err)
	}
	if seen, err := op.Resume(ctx, o.ID); err != nil || seen.State != orgd.StateActive {
		t.Errorf("%+v, %v", seen, err)
	}
	if seen, err := op.SetQuota(ctx, o.ID, orgd.Quota{MaxDocuments: new(int64(1))}); err != nil || *seen.Quota.MaxDocuments != 1 || seen.Quota.MaxBytes != nil {
		t.Errorf("%+v, %v", seen, err)
	}
	_, first := docs.Insert(ctx, person{})
	_, second := docs.Insert(ctx, person{})
	if first != nil || !errors.Is(second, orgd.ErrQuotaExceeded) || errors.Is(second, orgd.ErrOutcomeUnknown) {
		t.Errorf("%v, %v", first, second)
	}
	if seen, err := op.SetQuota(ctx, o.ID, orgd.Quota{}); err != nil || seen.Quota != nil {
		t.Errorf("%+v, %v", seen, err)
	}
	// With a time of grace there is nothing to wait for.
	running, receipt, err := c.DeleteOrganizationAsync(ctx)
	if err != nil || running != nil || receipt.PurgeAfter == nil {
		t.Errorf("%+v, %+v, %v", running, receipt, err)
	}
	if _, err := op.Suspend(ctx, o.ID); !errors.Is(err, orgd.ErrOrganizationDeleting) {
		t.Error(err)
	}
	if seen, err := op.Restore(ctx, o.ID); err != nil || seen.State != orgd.StateActive {
		t.Errorf("%+v, %v", seen, err)
	}
	if n, err := docs.Count(ctx, nil); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	if strings.Contains(shows(op), operatorKey) || strings.Contains(shows(*op), operatorKey) {
		t.Error(shows(op))
	}
}

func TestOrganizations(t *testing.T) {
	s := apptest.Start(t, "OPERATOR_KEY="+operatorKey)
	c := dial(t, s.URL, orgd.WithOperatorKey(operatorKey), checked(t))
	const n = 60 // more than a page
	for i := range n {
		name := "Acme " + strings.Repeat("i", i+1)
		o := orgd.NewOrganization{Name: name, Email: strings.ReplaceAll(name, " ", "") + "@acme.example", Password: password}
		if _, err := c.CreateOrganization(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	count := func(state orgd.State) (n int) {
		for o, err := range c.Operator().Organizations(t.Context(), state) {
			if err != nil || o.OrganizationName == "" {
				t.Fatalf("%+v, %v", o, err)
			}
			n++
		}
		return n
	}
	if all, active, suspended := count(""), count(orgd.StateActive), count(orgd.StateSuspended); all != n || active != n || suspended != 0 {
		t.Errorf("%d, %d active, %d suspended", all, active, suspended)
	}
}

func TestOperatorIsRefused(t *testing.T) {
	s := apptest.Start(t, "OPERATOR_KEY="+operatorKey)
	none := apptest.Start(t)
	id, err := orgd.ParseID("019aaf2e-53c4-7d51-a2a7-0f0d1e9b3c55")
	if err != nil {
		t.Fatal(err)
	}
	_, unknown := dial(t, s.URL, orgd.WithOperatorKey(operatorKey), checked(t)).Operator().Inspect(t.Context(), id)
	_, noKey := dial(t, s.URL, checked(t)).Operator().Inspect(t.Context(), id)
	_, noPlane := dial(t, none.URL, orgd.WithOperatorKey(operatorKey), checked(t)).Operator().Inspect(t.Context(), id)
	if !errors.Is(unknown, orgd.ErrNotFound) || !errors.Is(noKey, orgd.ErrUnauthenticated) || !errors.Is(noPlane, orgd.ErrNotFound) {
		t.Errorf("%v, %v, %v", unknown, noKey, noPlane)
	}
	if _, err := orgd.ParseID("x"); err == nil {
		t.Error("x is an id")
	}
}
