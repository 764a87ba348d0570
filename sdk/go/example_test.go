package orgd_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	orgd "github.com/orgd/orgd/sdk/go"
	"github.com/orgd/orgd/sdk/go/client"
)

// An organization is created, renamed and deleted.
func Example() {
	ctx := context.Background()
	c, err := orgd.New(serverURL)
	if err != nil {
		log.Fatal(err)
	}
	o, err := c.CreateOrganization(ctx, orgd.NewOrganization{
		Name: "Acme Inc", Email: "admin@acme.example", Password: "correct horse battery"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(o.OrganizationName, "is", o.State, "in", o.CollectionName)

	admin, err := c.With(orgd.WithLogin("admin@acme.example", "correct horse battery"))
	if err != nil {
		log.Fatal(err)
	}
	o, err = admin.UpdateOrganization(ctx, orgd.Update{Name: "Acme Corporation"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(o.OrganizationName, "is", o.State, "in its collection number", o.Generation)

	receipt, err := admin.DeleteOrganization(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.OrganizationName, "is gone, and so are", len(receipt.Collections), "collections")
	// Output:
	// Acme Inc is active in org_acme_inc
	// Acme Corporation is active in its collection number 2
	// Acme Corporation is gone, and so are 1 collections
}

// The code tells errors apart; an Error has the details.
func ExampleError() {
	c, err := orgd.New(serverURL)
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.CreateOrganization(context.Background(), orgd.NewOrganization{
		Name: "Initech", Email: "not an address", Password: "short"})
	if errors.Is(err, orgd.ErrMalformed) {
		fmt.Println("refused:")
	}
	var e *orgd.Error
	if errors.As(err, &e) {
		for _, f := range e.Fields {
			fmt.Println(e.Status, f.Pointer)
		}
	}
	// Output:
	// refused:
	// 400 #/email
	// 400 #/password
}

// A call that changes something has failed: is it safe to repeat it?
func ExampleCode() {
	// The server stands for a proxy before orgd that does not wait for the answer.
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "upstream timed out", http.StatusGatewayTimeout)
	}))
	defer s.Close()

	c, err := orgd.New(s.URL)
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.CreateOrganization(context.Background(), orgd.NewOrganization{
		Name: "Acme Inc", Email: "admin@acme.example", Password: "correct horse battery"})
	switch {
	case err == nil:
	case errors.Is(err, orgd.ErrNameTaken), errors.Is(err, orgd.ErrEmailTaken):
		fmt.Println("choose another")
	case errors.Is(err, orgd.ErrOutcomeUnknown):
		fmt.Println("look whether it is there:", err)
	default:
		fmt.Println("nothing was done:", err)
	}
	// Output:
	// look whether it is there: orgd: POST /org/create: 504 Gateway Timeout: not an answer of orgd (text/plain): upstream timed out (it may have been done all the same)
}

// Any caller may look an organization up; its admins see more.
func ExampleClient_GetOrganization() {
	ctx := context.Background()
	c, err := orgd.New(serverURL, orgd.WithLogin("admin@globex.example", "correct horse battery"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.CreateOrganization(ctx, orgd.NewOrganization{
		Name: "Globex", Email: "admin@globex.example", Password: "correct horse battery"}); err != nil {
		log.Fatal(err)
	}
	o, err := c.GetOrganization(ctx, "GLOBEX")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(o.OrganizationName, o.CollectionName, *o.Generation)

	_, err = c.GetOrganization(ctx, "Hooli")
	fmt.Println(errors.Is(err, orgd.ErrNotFound))
	// Output:
	// Globex org_globex 1
	// true
}

// After a change of the password the client uses the new one.
func ExampleClient_UpdateOrganization() {
	ctx := context.Background()
	c, err := orgd.New(serverURL, orgd.WithLogin("admin@umbrella.example", "correct horse battery"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.CreateOrganization(ctx, orgd.NewOrganization{
		Name: "Umbrella", Email: "admin@umbrella.example", Password: "correct horse battery"}); err != nil {
		log.Fatal(err)
	}
	for _, u := range []orgd.Update{{Password: "staple gun and a horse", InPlace: true}, {Name: "Umbrella Group"}} {
		o, err := c.UpdateOrganization(ctx, u)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(o.OrganizationName, o.Generation)
	}
	// Output:
	// Umbrella 1
	// Umbrella Group 2
}

// An operation of the contract through the generated client.
func ExampleClient_API() {
	c, err := orgd.New(serverURL)
	if err != nil {
		log.Fatal(err)
	}
	health, err := orgd.Decode[client.Health](c.API().GetReadiness(context.Background()))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(health.Status)
	// Output: ok
}

// A list, page after page. Here the pages are in a map; a server's pages come from a
// method of Client.API.
func ExamplePages() {
	pages := map[string][]string{"": {"a", "b"}, "page 2": {"c"}}
	next := map[string]string{"": "page 2"}
	fetch := func(_ context.Context, cursor string) ([]string, string, error) {
		return pages[cursor], next[cursor], nil
	}
	for item, err := range orgd.Pages(context.Background(), fetch) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(item)
	}
	// Output:
	// a
	// b
	// c
}

// A stream whose last line says how many values it had, and that breaks off before
// that line.
func ExampleLines() {
	resp := &http.Response{Body: io.NopCloser(strings.NewReader("{\"n\":1}\n{\"n\":2}\n"))}
	trailer := func(line []byte) (count int64, ok bool, err error) {
		var t struct {
			Count *int64 `json:"$count"`
		}
		if err := json.Unmarshal(line, &t); err != nil || t.Count == nil {
			return 0, false, nil // Lines reports what is wrong with the line
		}
		return *t.Count, true, nil
	}
	for doc, err := range orgd.Lines[map[string]int](resp, trailer) {
		if errors.Is(err, orgd.ErrIncomplete) {
			fmt.Println(err)
		} else if err != nil {
			log.Fatal(err)
		} else {
			fmt.Println(doc["n"])
		}
	}
	// Output:
	// 1
	// 2
	// orgd: the stream is incomplete: it ends after 2 values, without its last line
}
