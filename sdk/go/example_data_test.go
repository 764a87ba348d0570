package orgd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"strings"
	"time"

	orgd "github.com/orgd/orgd/sdk/go"
)

// newAdmin creates an organization for an example, and returns its admin's client.
func newAdmin(ctx context.Context, name string) *orgd.Client {
	o := orgd.NewOrganization{Name: name, Email: "admin@" + strings.ToLower(name) + ".example", Password: "correct horse battery"}
	c, err := orgd.New(serverURL, orgd.WithLogin(o.Email, o.Password))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.CreateOrganization(ctx, o); err != nil {
		log.Fatal(err)
	}
	return c
}

// A Person is a document. Without an _id it gets an ObjectId.
type Person struct {
	ID   orgd.DocumentID `json:"_id,omitempty"`
	Name string          `json:"name"`
	City string          `json:"city,omitempty"`
	Born orgd.Date       `json:"born,omitzero"`
}

// Documents as values of a program's own type.
func ExampleDocumentsOf() {
	ctx := context.Background()
	people := orgd.DocumentsOf[Person](newAdmin(ctx, "Dunder"))

	born := orgd.Date{Time: time.Date(1815, 12, 10, 0, 0, 0, 0, time.UTC)}
	ada, err := people.Insert(ctx, Person{ID: "ada", Name: "Ada Lovelace", City: "London", Born: born})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := people.Patch(ctx, ada.ID, map[string]any{"city": "Marylebone"}); err != nil {
		log.Fatal(err)
	}
	ada, err = people.Get(ctx, "ada")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ada.Value.Name, ada.Value.City, ada.Value.Born.Year())

	_, err = people.Insert(ctx, Person{ID: "ada", Name: "Another"})
	fmt.Println(errors.Is(err, orgd.ErrDocumentExists))
	// Output:
	// Ada Lovelace Marylebone 1815
	// true
}

// Two clients change the same document: the second is refused, since it has not seen the
// first change.
func ExampleIfMatch() {
	ctx := context.Background()
	visits := orgd.DocumentsOf[struct {
		N int `json:"n"`
	}](newAdmin(ctx, "Vandelay"))
	doc, err := visits.Put(ctx, "today", struct {
		N int `json:"n"`
	}{1}, orgd.IfAbsent())
	if err != nil {
		log.Fatal(err)
	}
	for _, client := range []string{"first", "second"} { // both have read the same revision
		_, err := visits.Patch(ctx, doc.ID, map[string]int{"n": doc.Value.N + 1}, orgd.IfMatch(doc.Revision))
		fmt.Println(client, errors.Is(err, orgd.ErrPreconditionFailed))
	}
	// Output:
	// first false
	// second true
}

// A list over all its pages.
func ExampleDocuments_List() {
	ctx := context.Background()
	c := newAdmin(ctx, "Stark")
	people := orgd.DocumentsOf[Person](c)
	for _, p := range []Person{{Name: "Ada", City: "London"}, {Name: "Alan", City: "London"}, {Name: "Grace", City: "New York"}} {
		if _, err := people.Insert(ctx, p); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := c.CreateIndex(ctx, orgd.NewIndex{Name: "by_name", Keys: []string{"-name"}}); err != nil {
		log.Fatal(err)
	}
	for doc, err := range people.List(ctx, orgd.Query{Filter: map[string]any{"city": "London"}, Sort: []string{"-name"}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(doc.Value.Name)
	}
	n, err := people.Count(ctx, `{"name": {"$gte": "B"}}`)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n)
	// Output:
	// Alan
	// Ada
	// 1
}

// Values are sent as they are produced; a refused document does not stop the others.
func ExampleDocuments_Import() {
	ctx := context.Background()
	people := orgd.DocumentsOf[Person](newAdmin(ctx, "Wayne"))
	all := slices.Values([]Person{{ID: "ada", Name: "Ada"}, {ID: "ada", Name: "Another"}, {Name: "Grace"}})
	result, err := people.Import(ctx, all, orgd.ImportOptions{
		Progress: func(p orgd.ImportProgress) { log.Println(p.Inserted, "so far") },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Inserted, "inserted")
	for _, refused := range result.Refused {
		fmt.Println(refused)
	}
	// Output:
	// 2 inserted
	// line 2: document_exists: There is a document with this _id.
}

// Documents go from one organization into another, without a file in between.
func ExampleDocuments_ImportFrom() {
	ctx := context.Background()
	from := orgd.DocumentsOf[map[string]any](newAdmin(ctx, "Tyrell"))
	to := orgd.DocumentsOf[map[string]any](newAdmin(ctx, "Wallace"))
	if _, err := from.Insert(ctx, map[string]any{"name": "Rachael"}); err != nil {
		log.Fatal(err)
	}
	result, err := to.ImportFrom(ctx, from.Export(ctx, orgd.ExportOptions{}), orgd.ImportOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Inserted)
	// Output: 1
}

// A backup, to a file or any other io.Writer.
func ExampleClient_Export() {
	ctx := context.Background()
	c := newAdmin(ctx, "Cyberdyne")
	docs := orgd.DocumentsOf[map[string]any](c)
	if _, err := docs.Put(ctx, "t800", map[string]any{"model": 101}); err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	n, err := c.Export(ctx, &file, orgd.ExportOptions{})
	if err != nil { // errors.Is(err, orgd.ErrIncomplete): the file does not have all
		log.Fatal(err)
	}
	fmt.Print(n, " ", file.String())
	// Output: 1 {"_id":"t800","model":101}
}

// An update that continues while the program does other things.
func ExampleClient_WaitOperation() {
	ctx := context.Background()
	c := newAdmin(ctx, "Aperture")
	op, err := c.UpdateOrganizationAsync(ctx, orgd.Update{Name: "Aperture Science"})
	if err != nil {
		log.Fatal(err)
	}
	op, err = c.WaitOperation(ctx, *op, func(now orgd.Operation) {
		log.Printf("%s: %d of %d", now.Step, now.DocumentsCopied, now.DocumentsTotal)
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(op.Kind, op.State)
	// Output: update succeeded
}

// The operator sets a quota, and suspends an organization.
func ExampleOperator() {
	ctx := context.Background()
	c := newAdmin(ctx, "Soylent")
	o, err := c.GetOrganization(ctx, "Soylent")
	if err != nil {
		log.Fatal(err)
	}
	operator, err := c.With(orgd.WithOperatorKey(operatorKey))
	if err != nil {
		log.Fatal(err)
	}
	most := int64(1000)
	if _, err := operator.Operator().SetQuota(ctx, o.ID, orgd.Quota{MaxDocuments: &most}); err != nil {
		log.Fatal(err)
	}
	if _, err := operator.Operator().Suspend(ctx, o.ID); err != nil {
		log.Fatal(err)
	}
	_, err = c.Stats(ctx)
	fmt.Println(errors.Is(err, orgd.ErrSuspended))
	// Output: true
}

// A unique index over existing documents.
func ExampleClient_CreateIndex() {
	ctx := context.Background()
	c := newAdmin(ctx, "Oscorp")
	index, err := c.CreateIndex(ctx, orgd.NewIndex{Name: "by_email", Keys: []string{"email"}, Unique: true})
	if err != nil {
		log.Fatal(err)
	}
	docs := orgd.DocumentsOf[map[string]any](c)
	_, first := docs.Insert(ctx, map[string]any{"email": "norman@oscorp.example"})
	_, second := docs.Insert(ctx, map[string]any{"email": "norman@oscorp.example"})
	fmt.Println(index.Name, first, errors.Is(second, orgd.ErrDuplicateKey))
	// Output: by_email <nil> true
}
