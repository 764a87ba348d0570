package tenant_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

const (
	masterDB = "master"
	tenantDB = "tenant"
)

// A state is everything in the databases but ids, times and versions: what two
// runs of the same calls must have in common.
type state map[string][]string

// dump reads the state. Finished operations are history, not state.
func dump(ctx context.Context, t testing.TB, e docdb.Engine) state {
	t.Helper()
	out := state{}
	master, tenant := e.Database(masterDB), e.Database(tenantDB)
	for name, fields := range map[string][]string{
		"organizations": {"organization_name", "name_key", "collection_name", "generation", "state", "operation"},
		"admins":        {"email", "email_key", "role", "credential", "next"},
		"collections":   {"_id", "generation", "state"},
		"reservations":  {"_id"},
		"operations":    {"kind", "step", "outcome"},
	} {
		for doc, err := range master.Collection(name).Find(ctx, docdb.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			if v, err := doc.LookupErr("outcome"); err == nil && v.StringValue() != "running" {
				continue
			}
			out[name] = append(out[name], line(doc, fields))
		}
	}
	names, err := tenant.List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		out["data "+bare(name)] = contents(ctx, t, tenant.Collection(name))
	}
	for _, lines := range out {
		sort.Strings(lines)
	}
	return out
}

func line(doc bson.Raw, fields []string) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "%s=%s ", f, bare(doc.Lookup(f).String()))
	}
	return b.String()
}

var suffix = regexp.MustCompile(`\.(x[0-9a-f]+|[0-9]+)\b`)

// bare hides a collection's suffix, which depends on who made it.
func bare(s string) string { return suffix.ReplaceAllString(s, "") }

func contents(ctx context.Context, t testing.TB, c docdb.Collection) []string {
	t.Helper()
	out := []string{}
	for doc, err := range c.Find(ctx, docdb.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, doc.String())
	}
	indexes, err := c.Indexes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, ix := range indexes {
		out = append(out, fmt.Sprintf("%+v", ix))
	}
	return out
}

// unsound lists what does not fit together in the databases when nothing is
// running: every reference leads somewhere and comes from somewhere.
func unsound(ctx context.Context, t testing.TB, e docdb.Engine) []string {
	t.Helper()
	all := func(name string) map[string]bson.Raw {
		docs := map[string]bson.Raw{}
		for doc, err := range e.Database(masterDB).Collection(name).Find(ctx, docdb.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			docs[doc.Lookup("_id").StringValue()] = doc
		}
		return docs
	}
	var bad []string
	check := func(ok bool, format string, args ...any) {
		if !ok {
			bad = append(bad, fmt.Sprintf(format, args...))
		}
	}
	str := func(d bson.Raw, f string) string { s, _ := d.Lookup(f).StringValueOK(); return s }
	orgs, admins, registry, held := all("organizations"), all("admins"), all("collections"), all("reservations")
	for id, o := range orgs {
		_, graceErr := o.LookupErr("purge_after")
		atRest := map[string]bool{"active": graceErr != nil, "suspended": graceErr != nil, "deleting": graceErr == nil}
		check(atRest[str(o, "state")] && str(o, "operation") == "", "organization %s is not at rest: %s", id, o)
		check(str(registry[str(o, "collection_name")], "org_id") == id, "organization %s does not own its collection", id)
		check(str(held["name:"+str(o, "name_key")], "org_id") == id, "organization %s does not hold its name", id)
		check(str(admins[str(o, "admin_id")], "org_id") == id, "organization %s has no admin", id)
	}
	for id, a := range admins {
		check(orgs[str(a, "org_id")] != nil, "admin %s has no organization", id)
		check(str(held["email:"+str(a, "email_key")], "admin_id") == id, "admin %s does not hold its address", id)
	}
	for id, r := range held {
		o, a := orgs[str(r, "org_id")], admins[str(r, "admin_id")]
		check("name:"+str(o, "name_key") == id || "email:"+str(a, "email_key") == id, "reservation %s is nobody's", id)
	}
	physical, err := e.Database(tenantDB).List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for id, c := range registry {
		check(str(c, "state") == "live" && str(orgs[str(c, "org_id")], "collection_name") == id, "registry entry %s is not in use: %s", id, c)
		check(slices.Contains(physical, id), "collection %s is not there", id)
	}
	for _, name := range physical {
		check(registry[name] != nil, "collection %s is an orphan", name)
	}
	dirty, err := e.Database(masterDB).List(ctx, "dirty_")
	if err != nil {
		t.Fatal(err)
	}
	check(len(dirty) == 0, "dirty sets are left: %v", dirty)
	for id, op := range all("operations") {
		check(str(op, "outcome") != "running", "operation %s is not finished", id)
		check(orgs[str(op, "org_id")] != nil || str(op, "outcome") == "forestalled", "operation %s is a trace of nobody", id)
	}
	return bad
}
