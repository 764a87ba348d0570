package app_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// spellings are one name, 24 times differently written.
func spellings() []string {
	var all []string
	for _, acme := range []string{"Acme", "ACME", "acme", "Ａｃｍｅ", "aCmE", "Ac\u200bme"} {
		for _, gap := range []string{" ", "  ", "\u00a0", "\u3000"} {
			all = append(all, acme+gap+"Straße")
		}
	}
	return all
}

// begin sends a request and returns at once. There is always an answer: an empty
// one where none came, which fails the test.
func (w *world) begin(req *http.Request) <-chan answer {
	answered := make(chan answer, 1)
	go func() {
		a := answer{t: w.t}
		defer func() { answered <- a }()
		resp, err := w.http.Do(req)
		if err != nil {
			w.t.Error(err)
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			w.t.Error(err)
			return
		}
		a = newAnswer(w.t, resp, body)
	}()
	return answered
}

// race sends all requests at the same time and returns their answers in order.
func (w *world) race(requests []*http.Request) []answer {
	var waiting []<-chan answer
	for _, req := range requests {
		waiting = append(waiting, w.begin(req))
	}
	var answers []answer
	for _, answered := range waiting {
		answers = append(answers, <-answered)
	}
	return answers
}

func (w *world) creates(names, emails []string) []*http.Request {
	var all []*http.Request
	for i := range names {
		w.journal.keep(emails[i])
		body := object("organization_name", names[i], "email", emails[i], "password", password)
		all = append(all, w.request("POST", "/org/create", strings.NewReader(body)))
	}
	return all
}

func TestOfRacingCreatesOfOneNameOneWins(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		w.longOnMongoDB()
		names, emails := spellings(), []string{}
		for range names {
			emails = append(emails, newEmail())
		}
		winner := -1
		for i, a := range w.race(w.creates(names, emails)) {
			if a.status == 201 && winner < 0 {
				winner = i
				continue
			}
			a.is(409, "name_taken").blames("#/organization_name")
		}
		if winner < 0 {
			t.Fatal("none has won")
		}
		id := w.do("GET", getPath(names[winner]), "").is(200).text("id")
		for _, name := range names {
			if got := w.do("GET", getPath(name), "").is(200); got.text("id") != id || got.text("organization_name") != names[winner] {
				t.Errorf("%q leads to %s", name, got.body)
			}
		}
		// The losers' addresses are not taken.
		losers, others := []string{}, []string{}
		for i, email := range emails {
			if i != winner {
				losers, others = append(losers, email), append(others, "Loser "+string(rune('A'+i)))
			}
		}
		for _, a := range w.race(w.creates(others, losers)) {
			a.is(201)
		}
		w.login(emails[winner], password).is(200)
	})
}

func TestOfRacingCreatesWithOneAddressOneWins(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		w.longOnMongoDB()
		email, names, emails := newEmail(), []string{}, []string{}
		for i := range 12 {
			names, emails = append(names, "Racer "+string(rune('A'+i))), append(emails, email[:i]+strings.ToUpper(email[i:]))
		}
		losers, won := []string{}, 0
		for i, a := range w.race(w.creates(names, emails)) {
			if a.status == 201 {
				won++
				continue
			}
			a.is(409, "email_taken").blames("#/email")
			losers = append(losers, names[i])
		}
		if won != 1 {
			t.Errorf("%d have won", won)
		}
		for _, name := range losers {
			w.signUp(name, newEmail(), password).is(201)
		}
	})
}

// Of racing changes of one organization some are done and the others refused; what
// is there in the end is what one of those that were done has made of it.
func TestRacingUpdatesAreDoneOrRefused(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		w.longOnMongoDB()
		acc := w.account("Acme")
		var requests []*http.Request
		for i := range 12 {
			body := object("organization_name", fmt.Sprint("Rename ", i))
			requests = append(requests, w.request("PUT", "/org/update", strings.NewReader(body), acc.auth))
		}
		done := []string{}
		for _, a := range w.race(requests) {
			if a.status == 200 {
				done = append(done, a.text("organization_name"))
				continue
			}
			a.is(409, "operation_in_progress")
		}
		there := []string{}
		for i := range 12 {
			name := fmt.Sprint("Rename ", i)
			if a := w.do("GET", getPath(name), "", acc.auth); a.status == 200 {
				there = append(there, name)
				if a.fields["generation"] != float64(1+len(done)) || a.fields["operation"] != nil {
					t.Errorf("after %d updates it is %s", len(done), a.body)
				}
			}
		}
		if len(there) != 1 || !slices.Contains(done, there[0]) {
			t.Errorf("updates to %q were done, and its name is %q", done, there)
		}
		if held := grep(w.dump(), `"name:`); len(held) != 1 {
			t.Errorf("names are held: %q", held)
		}
	})
}

// A deletion wins over all that races with it, and wins once.
func TestOfRacingDeletionsOneIsDone(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		acc := w.account("Acme")
		var requests []*http.Request
		for range 6 {
			requests = append(requests, w.request("DELETE", "/org/delete", nil, acc.auth),
				w.request("PUT", "/org/update", strings.NewReader(`{"organization_name":"Globex"}`), acc.auth))
		}
		deleted := 0
		for i, a := range w.race(requests) {
			switch {
			case a.status == 200 && i%2 == 0:
				deleted++
			case a.status == 401:
				a.is(401, "token_revoked")
			case a.status != 200:
				a.is(409, "operation_in_progress")
			}
		}
		if deleted > 1 {
			t.Errorf("it was deleted %d times", deleted)
		}
		if deleted == 0 { // updates were always in the way
			w.do("DELETE", "/org/delete", "", acc.auth).is(200)
		}
		if left := grep(w.dump(), acc.id, "acme", "globex"); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	})
}
