package app_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// withUser makes a user on a MongoDB server, for the time of the test, and returns a
// connection string with its password.
func withUser(t *testing.T, uri, user, secret string) string {
	t.Helper()
	command := func(ctx context.Context, cmd bson.D) error {
		c, err := mongo.Connect(options.Client().ApplyURI(uri).SetTimeout(10 * time.Second))
		if err != nil {
			return err
		}
		return errors.Join(c.Database("admin").RunCommand(ctx, cmd).Err(), c.Disconnect(ctx))
	}
	err := command(t.Context(), bson.D{{Key: "createUser", Value: user}, {Key: "pwd", Value: secret}, {Key: "roles", Value: bson.A{"root"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = command(ctx, bson.D{{Key: "dropUser", Value: user}}) // the server may be gone
	})
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, secret)
	query := u.Query()
	query.Set("authSource", "admin")
	u.RawQuery = query.Encode()
	return u.String()
}

// eventually waits until the server answers with that status.
func (w *world) eventually(status int, method, path string) {
	w.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		a := w.do(method, path, "")
		if a.status == status {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s %s still answers %d: %s", method, path, a.status, a.body)
		}
	}
}

// timeout bounds each call of the database; what follows from it is the same at the
// default of 10 s, and takes longer.
const timeout = "timeoutMS=5000"

// TestMongoDBGoesAwayAndComesBack: while it is away nothing is answered but that, and
// nothing is half-done; when it is back orgd goes on by itself.
func TestMongoDBGoesAwayAndComesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make test-long")
	}
	t.Parallel()
	server := mongotest.Start(t)
	const secret = "URI+passw0rd/that?nobody@sees"
	w := startMongoAt(t, withUser(t, server.URI(), "orgd", secret)+"&"+timeout, []int{http.StatusServiceUnavailable})
	w.journal.keep(secret, url.QueryEscape(secret), url.PathEscape(secret), jwtSecret)
	acc := w.account("Acme")
	w.do("GET", "/readyz", "").is(200)

	server.Kill()
	began := time.Now()
	w.do("GET", "/readyz", "").is(503, "unavailable")
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("/readyz takes %s to say so", took)
	}
	w.do("GET", "/livez", "").is(200)
	email := newEmail()
	w.journal.keep(email)
	for _, a := range w.race([]*http.Request{
		w.request("GET", getPath("Acme"), nil),
		w.request("POST", "/admin/login", strings.NewReader(object("email", acc.email, "password", acc.password))),
		w.request("POST", "/org/create", strings.NewReader(object("organization_name", "Globex", "email", email, "password", password))),
		w.request("PUT", "/org/update", strings.NewReader(`{"organization_name":"Initech"}`), acc.auth),
		w.request("DELETE", "/org/delete", nil, acc.auth),
	}) {
		a.is(503, "unavailable")
	}

	server.Restart(t)
	w.eventually(200, "GET", "/readyz")
	w.do("GET", getPath("Acme"), "", acc.auth).is(200).hasExactly(organizationKeys)
	w.login(acc.email, acc.password).is(200)
	w.signUp("Globex", email, password).is(201) // "nothing was done" was true
	w.do("PUT", "/org/update", `{"organization_name":"Initech"}`, acc.auth).is(200)

	server.Kill() // orgd stops without it just as well
	began = time.Now()
	w.Stop(t)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("without MongoDB orgd takes %s to stop", took)
	}
}

func TestASuspendedOrganizationIsLocked(t *testing.T) {
	t.Parallel()
	w := startMongo(t)
	acc := w.account("Acme")
	w.set("organizations", acc.id, bson.D{{Key: "state", Value: "suspended"}})
	if got := w.do("GET", getPath("Acme"), "").is(200).hasExactly(summaryKeys); got.text("state") != "suspended" {
		t.Errorf("its state is %s", got.body)
	}
	w.do("GET", getPath("Acme"), "", acc.auth).is(423, "suspended")
	w.do("PUT", "/org/update", "{}", acc.auth).is(423, "suspended")
	w.do("DELETE", "/org/delete", "", acc.auth).is(423, "suspended")
	w.login(acc.email, acc.password).is(423, "suspended")
	w.login(acc.email, "wrong horse battery").is(401, "bad_credentials")
	w.signUp("Acme", newEmail(), password).is(409, "name_taken")
	w.set("organizations", acc.id, bson.D{{Key: "state", Value: "active"}})
	w.do("DELETE", "/org/delete", "", acc.auth).is(200)
}

func TestAChangeInProgressIsInTheWayOfAnother(t *testing.T) {
	t.Parallel()
	w := startMongo(t)
	acc := w.account("Acme")
	const operation = "019aaf2e-53c4-7d51-a2a7-5c5d6e6f7071"
	w.set("organizations", acc.id, bson.D{{Key: "operation", Value: operation}})
	for _, a := range []answer{
		w.do("PUT", "/org/update", `{"password":"staple gun and a horse"}`, acc.auth), w.do("DELETE", "/org/delete", "", acc.auth),
	} {
		if a.is(409, "operation_in_progress"); a.text("operation_id") != operation {
			t.Errorf("it does not say which: %s", a.body)
		}
	}
	if got := w.do("GET", getPath("Acme"), "", acc.auth).is(200); got.text("operation") != operation {
		t.Errorf("its admin does not see it: %s", got.body)
	}
	w.do("GET", getPath("Acme"), "").is(200).hasExactly(summaryKeys)
	w.set("organizations", acc.id, bson.D{{Key: "operation", Value: ""}})
	w.do("DELETE", "/org/delete", "", acc.auth).is(200) // neither was half-done
}

// TestAFaultShowsNothingOfTheInside damages what is stored: the client learns that
// there is a fault, the log which one, under the same request id.
func TestAFaultShowsNothingOfTheInside(t *testing.T) {
	t.Parallel()
	w := startMongoAt(t, sharedMongo(t), []int{http.StatusInternalServerError})
	acc, hashless := w.account("Acme"), w.account("Globex")
	w.set("organizations", acc.id, bson.D{{Key: "organization_name", Value: bson.D{{Key: "SECRET-INSIDE", Value: 1}}}})
	w.set("admins", hashless.adminID, bson.D{{Key: "password_hash", Value: "SECRET-INSIDE"}})
	if _, err := w.masterDB().Collection("reservations").InsertOne(t.Context(), bson.D{{Key: "_id", Value: "name:initech"}, {Key: "org_id", Value: 5}}); err != nil {
		t.Fatal(err)
	}
	w.journal.keep("SECRET-INSIDE", "collections", "reservations", w.Config.MasterDBName+".", "goroutine")
	for _, a := range []answer{
		w.do("GET", getPath("Acme"), ""),
		w.do("PUT", "/org/update", "{}", acc.auth),
		w.do("DELETE", "/org/delete", "", acc.auth),
		w.login(hashless.email, hashless.password),
		w.signUp("Initech", newEmail(), password),
	} {
		a.is(500, "internal").hasExactly([]string{"code", "detail", "request_id", "status", "title", "type"})
		if line := w.logLine("level=ERROR", a.text("request_id")); !strings.Contains(line, "error=") {
			t.Errorf("the log does not say what it is: %q", line)
		}
	}
}

// logLine waits for the line of the log that holds all of the texts: one is written
// after its answer.
func (w *world) logLine(texts ...string) string {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		for line := range strings.Lines(w.journal.log()) {
			found := 0
			for _, text := range texts {
				if strings.Contains(line, text) {
					found++
				}
			}
			if found == len(texts) {
				return line
			}
		}
		if time.Now().After(deadline) {
			w.t.Errorf("no line of the log has %q:\n%s", texts, w.journal.log())
			return ""
		}
	}
}

// TestMongoDBGoesAwayInTheMiddleOfAnUpdate: the client that waits for the
// update is told in reasonable time that its outcome is unknown, and the update comes to an
// end by itself.
func TestMongoDBGoesAwayInTheMiddleOfAnUpdate(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make test-long")
	}
	t.Parallel()
	server := mongotest.Start(t)
	w := startMongoAt(t, server.URI()+"?"+timeout, []int{http.StatusServiceUnavailable})
	acc := w.account("Acme")
	db := w.tenantDB()
	docs := []any{}
	for i := range 600 { // more than one batch of a copy
		docs = append(docs, bson.D{{Key: "_id", Value: i}, {Key: "text", Value: strings.Repeat("x", 1000)}})
	}
	if _, err := db.Collection(acc.collection).InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	before := all(t, db.Collection(acc.collection))

	answered := w.begin(w.request("PUT", "/org/update", strings.NewReader(`{"organization_name":"Globex"}`), acc.auth))
	for w.do("GET", getPath("Acme"), "", acc.auth).is(200).fields["operation"] == nil {
		select {
		case a := <-answered:
			t.Fatalf("the update was over before anybody saw it: %s", a.body)
		default:
		}
	}
	server.Kill()
	began := time.Now()
	(<-answered).is(503, "outcome_unknown")
	if took := time.Since(began); took > 30*time.Second { // some calls of 5 s each, and no more
		t.Errorf("the update is answered %s after MongoDB went away", took)
	}

	server.Restart(t)
	w.eventually(200, "GET", "/readyz")
	var after answer
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if after = w.do("GET", getPath("Globex"), "", acc.auth); after.status == 404 { // undone is as good as done
			after = w.do("GET", getPath("Acme"), "", acc.auth)
		}
		if after.status == 200 && after.fields["operation"] == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody has brought the update to an end: %s", after.body)
		}
	}
	same(t, before, all(t, db.Collection(after.text("collection_name"))))
	names, err := db.ListCollectionNames(t.Context(), bson.D{})
	if err != nil || len(names) != 1 || names[0] != after.text("collection_name") {
		t.Errorf("collections %q, %v; want only %s", names, err, after.text("collection_name"))
	}
}
