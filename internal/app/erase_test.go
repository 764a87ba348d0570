package app_test

import (
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestDeletionLeavesNoTrace looks for a deleted organization in everything that is
// stored, after a life in which it had other names, addresses and collections.
func TestDeletionLeavesNoTrace(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		stays := w.account("Stays Here")
		acc := account{name: "Zebra Crossing", email: "zebra-first@tenants.example", password: password}
		made := w.signUp(acc.name, acc.email, acc.password).is(201)
		acc.auth = w.bearer(acc)
		w.journal.keep("zebra-second@tenants.example")
		w.do("PUT", "/org/update", object("organization_name", "Zebra Holding"), acc.auth).is(200)
		w.do("PUT", "/org/update", object("organization_name", stays.name), acc.auth).is(409, "name_taken")
		w.do("PUT", "/org/update", object("email", "Zebra-Second@tenants.example"), acc.auth).is(200)
		w.do("DELETE", "/org/delete", "", acc.auth).is(401, "token_revoked")
		acc.email = "zebra-second@tenants.example"
		w.do("DELETE", "/org/delete", "", w.bearer(acc)).is(200)

		w.do("GET", getPath("Zebra Holding"), "").is(404, "not_found")
		w.login(acc.email, acc.password).is(401, "bad_credentials")
		lines := w.dump()
		if found := grep(lines, "zebra", made.text("id"), made.text("admin_id")); len(found) > 0 {
			t.Errorf("%d traces are left: %q", len(found), found)
		}
		if len(grep(lines, stays.name, stays.email, stays.id)) < 3 || len(grep(lines, "collection "+stays.collection)) != 1 {
			t.Errorf("the other organization is gone too, or the dump is none: %q", lines)
		}
	})
}

// What was deleted is free again when the answer arrives, and its successor is new.
func TestNameAndAddressAreFreeWithTheAnswerToADeletion(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		w.longOnMongoDB()
		acc := w.account("Acme")
		for range 5 {
			gone := w.do("DELETE", "/org/delete", "", acc.auth).is(200)
			if gone.text("id") != acc.id || gone.text("organization_name") != acc.name {
				t.Errorf("the receipt %s is not for %+v", gone.body, acc)
			}
			again := w.signUp(acc.name, acc.email, acc.password).is(201)
			if again.text("id") == acc.id || again.text("admin_id") == acc.adminID || !strings.HasPrefix(again.text("collection_name"), "org_acme") {
				t.Errorf("%+v comes back as %s", acc, again.body)
			}
			acc.id, acc.adminID = again.text("id"), again.text("admin_id")
			acc.auth = w.bearer(acc)
		}
	})
}

// One organization's data is out of reach of another's deletion.
func TestDeletionDropsItsOwnCollectionOnly(t *testing.T) {
	t.Parallel()
	w := startMongo(t)
	db := w.tenantDB()
	var all []account
	for _, name := range []string{"Acme Inc", "Acme, Inc.", "acme-inc"} {
		acc := w.account(name)
		all = append(all, acc)
		if _, err := db.Collection(acc.collection).InsertOne(t.Context(), bson.D{{Key: "_id", Value: acc.id}}); err != nil {
			t.Fatal(err)
		}
	}
	receipt := w.do("DELETE", "/org/delete", "", all[0].auth).is(200)
	if dropped, _ := receipt.fields["collections"].([]any); len(dropped) != 1 || dropped[0] != all[0].collection {
		t.Errorf("the receipt %s is not for %s", receipt.body, all[0].collection)
	}
	names, err := db.ListCollectionNames(t.Context(), bson.D{})
	if slices.Sort(names); err != nil || len(names) != 2 || slices.Contains(names, all[0].collection) {
		t.Errorf("collections %q, %v", names, err)
	}
	for _, acc := range all[1:] {
		if n, err := db.Collection(acc.collection).CountDocuments(t.Context(), bson.D{{Key: "_id", Value: acc.id}}); n != 1 || err != nil {
			t.Errorf("%s has lost its data: %d, %v", acc.name, n, err)
		}
		w.do("GET", getPath(acc.name), "", acc.auth).is(200).hasExactly(organizationKeys)
	}
}

// TestNoPasswordIsStored looks for what must only be there as a hash.
func TestNoPasswordIsStored(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		acc := w.account("Acme")
		w.journal.keep("staple gun and a horse")
		w.do("PUT", "/org/update", object("password", "staple gun and a horse"), acc.auth).is(200)
		lines := w.dump()
		if found := grep(lines, acc.password, "staple gun and a horse", jwtSecret, acc.auth[len("Authorization: Bearer "):]); len(found) > 0 {
			t.Errorf("stored: %q", found)
		}
		if hashes := grep(lines, `"$2a$04$`); len(hashes) != 1 {
			t.Errorf("%d hashes of one admin: %q", len(hashes), hashes)
		}
	})
}
