package suite

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/orgd/orgd/internal/contracttest"
)

// asked are inputs, by name.
type asked map[string]any

// A sample is a request with these inputs, and what its answer has to show.
type sample struct {
	inputs asked
	want   string
}

// An effect is what an input does: to be seen in what answers show.
type effect struct {
	shows   func(*world, answer) string
	samples []sample
}

// effects are those of all inputs, by operation and input, on the same data.
var effects = map[string]struct {
	data func(testing.TB, *world)
	of   map[string]effect
}{
	"getOrganization": {twoOrganizations, map[string]effect{
		"organization_name": {field("organization_name"), []sample{
			{asked{"organization_name": "acme"}, "Acme"}, {asked{"organization_name": "Globex"}, "Globex"}}},
	}},
	"listOperations": {twoOperations, map[string]effect{
		"limit":  {each("kind"), []sample{{asked{}, "update create"}, {asked{"limit": 1}, "update"}, {asked{"limit": 2}, "update create"}}},
		"cursor": {each("kind"), []sample{{asked{"limit": 1}, "update"}, {asked{"limit": 1, "cursor": next}, "create"}}},
	}},
	"listOrganizations": {everyState, map[string]effect{
		"state": {each("state"), []sample{
			{asked{}, "deleting suspended active provisioning"},
			{asked{"state": "provisioning"}, "provisioning"}, {asked{"state": "active"}, "active"},
			{asked{"state": "suspended"}, "suspended"}, {asked{"state": "deleting"}, "deleting"}}},
		"limit": {each("state"), []sample{{asked{}, "deleting suspended active provisioning"}, {asked{"limit": 3}, "deleting suspended active"}}},
		"cursor": {each("state"), []sample{
			{asked{"limit": 3}, "deleting suspended active"}, {asked{"limit": 3, "cursor": next}, "provisioning"}}},
	}},
	"importDocuments": {threeDocuments, map[string]effect{
		"on_conflict": {imported, []sample{
			{asked{}, "failed 1, n is 3"}, {asked{"on_conflict": "fail"}, "failed 1, n is 3"},
			{asked{"on_conflict": "skip"}, "skipped 1, n is 3"}, {asked{"on_conflict": "replace"}, "replaced 1, n is 4"}}},
	}},
	"listDocuments":   {threeDocuments, listed},
	"queryDocuments":  {threeDocuments, listed},
	"exportDocuments": {threeDocuments, exported},
	"exportQuery":     {threeDocuments, exported},
}

var listed = map[string]effect{
	"filter": {each("_id"), []sample{
		{asked{}, "ada bob cyd"}, {asked{"filter": asked{"n": asked{"$gte": 2}}}, "ada cyd"}, {asked{"filter": asked{"city": "London"}}, "ada"}}},
	"sort": {each("_id"), []sample{
		{asked{}, "ada bob cyd"}, {asked{"sort": "n"}, "bob cyd ada"}, {asked{"sort": "-n"}, "ada cyd bob"}, {asked{"sort": "-_id"}, "cyd bob ada"}}},
	"limit":  {each("_id"), []sample{{asked{}, "ada bob cyd"}, {asked{"limit": 1}, "ada"}, {asked{"limit": 2}, "ada bob"}}},
	"cursor": {each("_id"), []sample{{asked{"limit": 2}, "ada bob"}, {asked{"limit": 2, "cursor": next}, "cyd"}}},
	"fields": {keysOfEach, []sample{
		{asked{"limit": 1}, "_id,city,n"}, {asked{"limit": 1, "fields": "n"}, "_id,n"}, {asked{"limit": 1, "fields": "n,city"}, "_id,city,n"}}},
	"count": {field("total"), []sample{
		{asked{"limit": 1}, "<nil>"}, {asked{"limit": 1, "count": false}, "<nil>"}, {asked{"limit": 1, "count": true}, "3"},
		{asked{"limit": 1, "count": true, "filter": asked{"n": asked{"$gte": 2}}}, "2"}}},
}

var exported = map[string]effect{
	"filter": {exportedIDs, []sample{{asked{}, "ada bob cyd"}, {asked{"filter": asked{"n": asked{"$gte": 2}}}, "ada cyd"}}},
	"canonical": {firstLine, []sample{
		{asked{}, `{"_id":"ada","city":"London","n":3}`}, {asked{"canonical": false}, `{"_id":"ada","city":"London","n":3}`},
		{asked{"canonical": true}, `{"_id":"ada","city":"London","n":{"$numberInt":"3"}}`}}},
}

func field(name string) func(*world, answer) string {
	return func(_ *world, a answer) string { return fmt.Sprint(a.fields[name]) }
}

func each(name string) func(*world, answer) string {
	return func(_ *world, a answer) string {
		var all []string
		for _, item := range a.items() {
			all = append(all, fmt.Sprint(item[name]))
		}
		return strings.Join(all, " ")
	}
}

func keysOfEach(_ *world, a answer) string {
	var all []string
	for _, item := range a.items() {
		all = append(all, contracttest.Keys(item))
	}
	return strings.Join(all, " ")
}

func exportedIDs(_ *world, a answer) string {
	var all []string
	for _, line := range a.lines() {
		if id, ok := line["_id"].(string); ok {
			all = append(all, id)
		}
	}
	return strings.Join(all, " ")
}

func firstLine(_ *world, a answer) string {
	line, _, _ := strings.Cut(a.body, "\n")
	return line
}

// importedAda is what requests of import bring: a document of which another version is there.
const importedAda = `{"_id":"ada","n":4}`

// imported is what has become of importedAda.
func imported(w *world, a answer) string {
	a.t.Helper()
	all := a.lines()
	shown := ""
	for _, count := range []string{"inserted", "replaced", "skipped", "failed"} {
		if n := all[len(all)-1][count]; n != 0.0 {
			shown += fmt.Sprint(count, " ", n)
		}
	}
	there := w.do(a.t, "GET", "/org/documents/ada", "", "Authorization: "+w.auth).is(200)
	return fmt.Sprint(shown, ", n is ", there.fields["n"])
}

func twoOrganizations(t testing.TB, w *world) {
	for _, name := range []string{"Acme", "Globex"} {
		w.do(t, "POST", "/org/create", object("organization_name", name, "email", name+"@x.example", "password", password)).is(201)
	}
}

func twoOperations(t testing.TB, w *world) {
	w.auth = w.account(t).auth
	w.do(t, "PUT", "/org/update", "{}", "Authorization: "+w.auth).is(200)
}

// everyState has an organization in every state, the oldest provisioning.
func everyState(t testing.TB, w *world) {
	for _, at := range []stage{provisioning, active, suspension, inGrace} {
		w.bring(t, &subject{account: w.account(t)}, at)
	}
}

func threeDocuments(t testing.TB, w *world) {
	w.auth = w.account(t).auth
	auth := "Authorization: " + w.auth
	w.do(t, "POST", "/org/indexes", `{"name":"by_n","keys":[{"path":"n"}]}`, auth).is(201)
	for id, body := range map[string]string{"ada": `{"city":"London","n":3}`, "bob": `{"city":"Paris","n":1}`, "cyd": `{"city":"Rome","n":2}`} {
		w.do(t, "PUT", "/org/documents/"+id, body, auth).is(http.StatusCreated)
	}
}
