package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	orgd "github.com/orgd/orgd/sdk/go"
)

func main() {
	ctx := context.Background()
	c, err := orgd.New("http://127.0.0.1:8000")
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.CreateOrganization(ctx, orgd.NewOrganization{
		Name: "Acme Inc", Email: "admin@acme.example", Password: "correct horse battery"})
	if errors.Is(err, orgd.ErrNameTaken) {
		log.Fatal("choose another name")
	} else if err != nil {
		log.Fatal(err)
	}

	// The client of the admin logs in first, and again whenever its token is no longer good.
	admin, err := c.With(orgd.WithLogin("admin@acme.example", "correct horse battery"))
	if err != nil {
		log.Fatal(err)
	}
	o, err := admin.UpdateOrganization(ctx, orgd.Update{Name: "Acme Corporation"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(o.OrganizationName, "is in", o.CollectionName)
}
