package app_test

import (
	"net/url"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func getPath(name string) string {
	return "/org/get?organization_name=" + url.QueryEscape(name)
}

func TestNamesOfOneSlugKeepApart(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		w.longOnMongoDB()
		byCollection := map[string]account{}
		for _, name := range []string{"Acme Inc", "Acme, Inc.", "acme-inc", "Acmé Inc", "acme.inc", "ACME_INC", "acme inc.2"} {
			acc := w.account(name)
			if !strings.HasPrefix(acc.collection, "org_acme_inc") {
				t.Errorf("%s has the collection %s", name, acc.collection)
			}
			if other, ok := byCollection[acc.collection]; ok {
				t.Errorf("%s and %s share %s", name, other.name, acc.collection)
			}
			byCollection[acc.collection] = acc
		}
		for collection, acc := range byCollection {
			moved := w.do("PUT", "/org/update", "{}", acc.auth).is(200).text("collection_name")
			if other, ok := byCollection[moved]; ok && other.id != acc.id {
				t.Errorf("%s moves from %s into %s of %s", acc.name, collection, moved, other.name)
			}
		}
	})
}

// No organization gets a collection in the tenant database that orgd has not made.
func TestAForeignCollectionIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := startMongo(t)
	foreign := w.tenantDB().Collection("org_acme")
	if _, err := foreign.InsertOne(t.Context(), bson.D{{Key: "_id", Value: "not orgd's"}}); err != nil {
		t.Fatal(err)
	}
	acc := w.account("Acme")
	if acc.collection == "org_acme" {
		t.Error("the collection that was there is used")
	}
	w.do("PUT", "/org/update", "{}", acc.auth).is(200)
	w.do("DELETE", "/org/delete", "", acc.auth).is(200)
	if n, err := foreign.CountDocuments(t.Context(), bson.D{}); n != 1 || err != nil {
		t.Errorf("it has %d documents, %v", n, err)
	}
}

func TestNamesOfAllScripts(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, name := range []string{
		"株式会社", "Ελλάς ΑΕ", "شركة", "חברה בע״מ", "กขฃ", "Łódź", "🚀", "नमस्ते", "a+b&c=d/e?f#g%20h", `"quoted" \ back`, "x",
		strings.Repeat("🚀", 100), strings.Repeat("a", 100), "  " + strings.Repeat("ß", 100) + "\u3000",
	} {
		made := w.signUp(name, newEmail(), password).is(201)
		want := strings.Trim(name, " \u3000")
		if made.text("organization_name") != want {
			t.Errorf("%q is kept as %q", name, made.text("organization_name"))
		}
		for _, path := range []string{getPath(name), made.header.Get("Location")} {
			if got := w.do("GET", path, "").is(200); got.text("id") != made.text("id") {
				t.Errorf("%s leads to %s", path, got.body)
			}
		}
	}
}

func TestNamesThatNobodyCouldTellApartAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, name := range []string{
		"Ac\x00me", "\x00", "Ac\nme", "Ac\tme", "Ac\x7fme", "Ac\u0085me", "Ac\u2028me", // controls and line ends
		"Ac\u202eme", "Ac\u2066me", "\u200eAcme", "Acme\u200f", "Ac\u061cme", // what turns the direction of text
		"", " ", "\u3000\u00a0", strings.Repeat("a", 101), strings.Repeat("🚀", 101), strings.Repeat("a", 4000),
	} {
		w.signUp(name, newEmail(), password).is(400, "malformed").blames("#/organization_name")
		w.do("GET", getPath(name), "").is(400, "malformed").blames("organization_name")
	}
	for _, name := range []string{"\u200b", "\u00ad\u2060", "\ufe0f"} { // invisible, all of it
		w.signUp(name, newEmail(), password).is(422, "invalid").blames("#/organization_name")
		w.do("GET", getPath(name), "").is(422, "invalid").blames("organization_name")
	}
	auth := w.account("Acme").auth
	w.do("PUT", "/org/update", object("organization_name", "Ac\u202eme"), auth).is(400, "malformed").blames("#/organization_name")
	w.do("PUT", "/org/update", object("organization_name", "\u200b"), auth).is(422, "invalid").blames("#/organization_name")
}
